# SPDX-License-Identifier: MIT
#
# The two libraries: cargo builds them, CMake imports them.

# What PATH says comes first. (Where CARGO_HOME is unset, the first of these is /bin.)
find_program(CARGO cargo PATHS "$ENV{CARGO_HOME}/bin" "$ENV{HOME}/.cargo/bin")
if(NOT CARGO)
    message(FATAL_ERROR "workerpool: cargo not found. It comes with the distribution's Rust package or with rustup.")
endif()

# The rule of build.rs: until 1.0 the minor version is part of the ABI's name.
if(PROJECT_VERSION_MAJOR EQUAL 0)
    set(abi_version "0.${PROJECT_VERSION_MINOR}")
else()
    set(abi_version "${PROJECT_VERSION_MAJOR}")
endif()

# What a Rust static library needs of the system, for every C library on Linux (scripts/check-abi asks rustc). Not in it:
# libgcc_s, which rustc also names; C compilers add it themselves, or libgcc_eh for `-static`, where -lgcc_s would fail.
# As options: a plain name would be taken for a target first, and projects have targets called `util`.
set(static_link_libraries -lutil -lrt -lpthread -lm -ldl -lc)

set(library_dir "${PROJECT_BINARY_DIR}/lib")
set(shared_library "${library_dir}/libworkerpool.so.${PROJECT_VERSION}")
set(static_library "${library_dir}/libworkerpool.a")

set(cargo_dir "${PROJECT_BINARY_DIR}/cargo")
set(cargo_rustc "${CARGO}" rustc --locked --lib --profile "${WORKERPOOL_CARGO_PROFILE}" --target-dir "${cargo_dir}")
set(artifact_dir "${cargo_dir}")
if(WORKERPOOL_CARGO_TARGET)
    list(APPEND cargo_rustc --target "${WORKERPOOL_CARGO_TARGET}")
    string(APPEND artifact_dir "/${WORKERPOOL_CARGO_TARGET}")
endif()
if(WORKERPOOL_CARGO_PROFILE STREQUAL "dev")
    string(APPEND artifact_dir "/debug")
else()
    string(APPEND artifact_dir "/${WORKERPOOL_CARGO_PROFILE}")
endif()

# Cargo knows best what is out of date, so it is always asked; when nothing was, the copies keep their time, and no
# program is linked again. One crate type at a time: an rlib beside them would switch LTO off.
add_custom_target(workerpool_cargo ALL
    COMMAND ${cargo_rustc} --crate-type staticlib
    COMMAND ${cargo_rustc} --crate-type cdylib
    COMMAND "${CMAKE_COMMAND}" -E make_directory "${library_dir}"
    COMMAND "${CMAKE_COMMAND}" -E copy_if_different "${artifact_dir}/libworkerpool.a" "${static_library}"
    COMMAND "${CMAKE_COMMAND}" -E copy_if_different "${artifact_dir}/libworkerpool.so" "${shared_library}"
    COMMAND "${CMAKE_COMMAND}" -E create_symlink "libworkerpool.so.${PROJECT_VERSION}"
        "${library_dir}/libworkerpool.so.${abi_version}"
    COMMAND "${CMAKE_COMMAND}" -E create_symlink "libworkerpool.so.${abi_version}" "${library_dir}/libworkerpool.so"
    BYPRODUCTS "${static_library}" "${shared_library}"
    WORKING_DIRECTORY "${PROJECT_SOURCE_DIR}"
    USES_TERMINAL # cargo's progress is seen
    VERBATIM)

add_library(workerpool::shared SHARED IMPORTED GLOBAL)
set_target_properties(workerpool::shared PROPERTIES
    IMPORTED_LOCATION "${shared_library}"
    IMPORTED_SONAME "libworkerpool.so.${abi_version}"
    INTERFACE_INCLUDE_DIRECTORIES "${PROJECT_SOURCE_DIR}/include")
add_dependencies(workerpool::shared workerpool_cargo)

add_library(workerpool::static STATIC IMPORTED GLOBAL)
set_target_properties(workerpool::static PROPERTIES
    IMPORTED_LOCATION "${static_library}"
    INTERFACE_LINK_LIBRARIES "Threads::Threads;${static_link_libraries}"
    INTERFACE_INCLUDE_DIRECTORIES "${PROJECT_SOURCE_DIR}/include")
add_dependencies(workerpool::static workerpool_cargo)

if(BUILD_SHARED_LIBS OR NOT DEFINED BUILD_SHARED_LIBS)
    add_library(workerpool::workerpool ALIAS workerpool::shared)
else()
    add_library(workerpool::workerpool ALIAS workerpool::static)
endif()
