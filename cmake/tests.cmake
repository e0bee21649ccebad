# SPDX-License-Identifier: MIT
#
# c.NAME.shared, c.NAME.static     each program of tests/c (and cpp.… of tests/cpp), linked to either library
# cpp.clang                        those of tests/cpp by clang++, too
# cpp.…_sanitizer                  those of tests/cpp under the address sanitizer (with leaks and undefined behaviour) and the thread
#                                  sanitizer, the library instrumented too (make asan, make tsan: and those of tests/c, and in Rust)
# programs.NAME                    the examples, driven by tests/programs/NAME.py
# header.…, abi, readme, consumer   what a compiler, a linker and a user see of the library
# faults.…                         what the library does after a fault of its own, planted for the purpose
# ffi.LANGUAGE…                    examples/LANGUAGE: its tests, its examples, and docs/LANGUAGE.md followed from an empty folder
# languages.…                      the eight things of docs/languages.md: the page, and its programs in C and C++ (the others': ffi.…)
# soak.short                       everything at once, with random faults, for 10 seconds (make soak: for half an hour)
# fuzz.short                       programs of calls, by a fuzzer, for a minute (make fuzz: for half an hour)
# instructions                     what a task costs, in instructions: no timing is ever a test
#
# 77 means skipped. Every test has a limit of time: one that hangs is a failure, not a stuck run.

file(GLOB test_sources CONFIGURE_DEPENDS RELATIVE "${PROJECT_SOURCE_DIR}/tests"
    "${PROJECT_SOURCE_DIR}/tests/c/*.c" "${PROJECT_SOURCE_DIR}/tests/cpp/*.cpp")
foreach(source IN LISTS test_sources)
    cmake_path(GET source PARENT_PATH language)
    cmake_path(GET source STEM name)
    foreach(kind IN ITEMS shared static)
        set(target test_${language}_${name}_${kind})
        workerpool_program(${target} "${PROJECT_SOURCE_DIR}/tests/${source}" workerpool::${kind})
        set_target_properties(${target} PROPERTIES RUNTIME_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/tests/${language}")
        # The second line of a C++ test says what it needs besides C++17.
        file(STRINGS "${PROJECT_SOURCE_DIR}/tests/${source}" head LIMIT_COUNT 2)
        if(head MATCHES "// C\\+\\+20")
            set_target_properties(${target} PROPERTIES CXX_STANDARD 20)
        elseif(head MATCHES "// (-fno-exceptions -fno-rtti)")
            target_compile_options(${target} PRIVATE -fno-exceptions -fno-rtti)
        endif()
        add_test(NAME ${language}.${name}.${kind} COMMAND ${target})
        set_tests_properties(${language}.${name}.${kind} PROPERTIES TIMEOUT 120)
    endforeach()
endforeach()

# Plug-ins with a copy of the library of their own; the second can't be unloaded.
foreach(name IN ITEMS plugin plugin_that_stays)
    add_library(test_${name} MODULE "${PROJECT_SOURCE_DIR}/tests/plugin/plugin.c")
    target_link_libraries(test_${name} PRIVATE workerpool::static Threads::Threads)
    target_link_options(test_${name} PRIVATE -Wl,--exclude-libs,ALL)
    set_target_properties(test_${name} PROPERTIES PREFIX "" LIBRARY_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/tests/plugin")
endforeach()
target_link_options(test_plugin_that_stays PRIVATE -Wl,-z,nodelete)
foreach(kind IN ITEMS shared static)
    add_dependencies(test_c_unloading_${kind} test_plugin test_plugin_that_stays)
    target_link_libraries(test_c_unloading_${kind} PRIVATE ${CMAKE_DL_LIBS})
    target_compile_definitions(test_c_unloading_${kind} PRIVATE "WP_LIBRARY=\"${shared_library}\""
        "WP_PLUGIN=\"$<TARGET_FILE:test_plugin>\"" "WP_PLUGIN_THAT_STAYS=\"$<TARGET_FILE:test_plugin_that_stays>\"")
endforeach()

# The library with planted faults, for one test alone.
set(faults_dir "${PROJECT_BINARY_DIR}/tests/faults")
string(REPLACE "${cargo_dir}" "${cargo_dir}-faults" faults_rustc "${cargo_rustc}")
string(REPLACE "${cargo_dir}" "${cargo_dir}-faults" faults_artifact "${artifact_dir}/libworkerpool.so")
add_custom_target(workerpool_faults ALL
    COMMAND ${faults_rustc} --features faults --crate-type cdylib
    COMMAND "${CMAKE_COMMAND}" -E make_directory "${faults_dir}"
    COMMAND "${CMAKE_COMMAND}" -E copy_if_different "${faults_artifact}"
        "${faults_dir}/libworkerpool.so.${abi_version}"
    BYPRODUCTS "${faults_dir}/libworkerpool.so.${abi_version}"
    WORKING_DIRECTORY "${PROJECT_SOURCE_DIR}"
    USES_TERMINAL
    VERBATIM)
add_library(workerpool_with_faults SHARED IMPORTED)
set_target_properties(workerpool_with_faults PROPERTIES
    IMPORTED_LOCATION "${faults_dir}/libworkerpool.so.${abi_version}"
    IMPORTED_SONAME "libworkerpool.so.${abi_version}"
    INTERFACE_INCLUDE_DIRECTORIES "${PROJECT_SOURCE_DIR}/include")
add_dependencies(workerpool_with_faults workerpool_faults)
foreach(name IN ITEMS stages way_back)
    workerpool_program(test_faults_${name} "${PROJECT_SOURCE_DIR}/tests/faults/${name}.c" workerpool_with_faults)
    set_target_properties(test_faults_${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY "${faults_dir}")
    add_test(NAME faults.${name} COMMAND test_faults_${name})
    set_tests_properties(faults.${name} PROPERTIES TIMEOUT 120)
endforeach()

# Also with planted faults: it arms them in processes of their own.
workerpool_program(test_soak "${PROJECT_SOURCE_DIR}/tests/soak/soak.c" workerpool_with_faults)
set_target_properties(test_soak PROPERTIES RUNTIME_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/tests/soak")
add_test(NAME soak.short COMMAND test_soak 10)
set_tests_properties(soak.short PROPERTIES TIMEOUT 360)

foreach(name IN ITEMS manual threads)
    workerpool_program(fuzz_${name} "${PROJECT_SOURCE_DIR}/tests/fuzz/${name}.c" workerpool::shared)
    set_target_properties(fuzz_${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/tests/fuzz")
endforeach()

function(workerpool_script name timeout)
    add_test(NAME ${name} COMMAND ${ARGN})
    set_tests_properties(${name} PROPERTIES TIMEOUT ${timeout})
endfunction()

set(tests "${PROJECT_SOURCE_DIR}/tests")
set(scripts "${PROJECT_SOURCE_DIR}/scripts")

if(WORKERPOOL_BUILD_EXAMPLES)
    foreach(name IN ITEMS examples signals treehash_trees)
        if(TARGET example_c_treehash)
            # -B: no __pycache__ in the source tree.
            set(run python3 -B "${tests}/programs/${name}.py" "${PROJECT_BINARY_DIR}/examples")
        else()
            set(run sh -c "echo 'skipped: treehash (install libssl-dev)' && exit 77")
        endif()
        workerpool_script(programs.${name} 600 ${run})
    endforeach()
endif()

workerpool_script(header.text 60 "${tests}/header/text")
workerpool_script(header.gcc 300 "${tests}/header/compile" gcc g++)
workerpool_script(header.clang 300 "${tests}/header/compile" clang clang++)
workerpool_script(header.generated 600 "${scripts}/check-header" "${PROJECT_BINARY_DIR}/cargo-header")
workerpool_script(abi 600 "${scripts}/check-abi" "${PROJECT_BINARY_DIR}")
workerpool_script(fuzz.short 180 "${scripts}/fuzz" "${PROJECT_BINARY_DIR}" 60)
workerpool_script(cpp.clang 300 "${tests}/cpp/run-clang" "${PROJECT_BINARY_DIR}")
if(NOT WORKERPOOL_SANITIZE)
    workerpool_script(cpp.address_sanitizer 600 "${scripts}/asan" "${PROJECT_BINARY_DIR}" cpp)
    workerpool_script(cpp.thread_sanitizer 600 "${scripts}/tsan" "${PROJECT_BINARY_DIR}" cpp)
    set_tests_properties(cpp.address_sanitizer cpp.thread_sanitizer PROPERTIES LABELS sanitizer)
endif()
workerpool_script(instructions 120 "${scripts}/instructions" "${PROJECT_BINARY_DIR}")
workerpool_script(faults.neighbour 120 "${tests}/faults/neighbour" "${PROJECT_BINARY_DIR}")
workerpool_script(readme 60 "${tests}/header/readme" "${PROJECT_BINARY_DIR}")
workerpool_script(consumer 600 "${tests}/consumer/run" "${PROJECT_BINARY_DIR}/consumer")
workerpool_script(ffi.python 300 "${tests}/ffi/run-python" "${PROJECT_BINARY_DIR}")
workerpool_script(ffi.zig.shared 600 "${tests}/ffi/run-zig" "${PROJECT_BINARY_DIR}" dynamic)
workerpool_script(ffi.zig.static 600 "${tests}/ffi/run-zig" "${PROJECT_BINARY_DIR}" static)
foreach(kind IN ITEMS shared static)
    workerpool_script(ffi.go.${kind} 600 "${tests}/go/run" "${PROJECT_BINARY_DIR}" ${kind})
endforeach()

workerpool_script(languages.text 60 "${scripts}/check-languages")
foreach(source IN ITEMS c/12_eight_things.c cpp/08_eight_things.cpp)
    cmake_path(GET source PARENT_PATH language)
    foreach(kind IN ITEMS shared static)
        set(target test_eight_things_${language}_${kind})
        workerpool_program(${target} "${PROJECT_SOURCE_DIR}/examples/${source}" workerpool::${kind})
        set_target_properties(${target} PROPERTIES RUNTIME_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/tests/languages")
        workerpool_script(languages.${language}.${kind} 120
            "${tests}/ffi/prints" "${PROJECT_SOURCE_DIR}/examples/eight_things.expected" "$<TARGET_FILE:${target}>")
    endforeach()
endforeach()

get_property(all_tests DIRECTORY PROPERTY TESTS)
set_tests_properties(${all_tests} PROPERTIES SKIP_RETURN_CODE 77)
