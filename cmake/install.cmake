# SPDX-License-Identifier: MIT
#
# What a packager gets. The package files find everything relative to themselves, so that the tree can be moved.

include(CMakePackageConfigHelpers)

install(DIRECTORY "${PROJECT_SOURCE_DIR}/include/" DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}")
install(FILES
    "${static_library}"
    "${shared_library}"
    "${library_dir}/libworkerpool.so.${abi_version}"
    "${library_dir}/libworkerpool.so"
    DESTINATION "${CMAKE_INSTALL_LIBDIR}")

set(package_dir "${CMAKE_INSTALL_LIBDIR}/cmake/workerpool")
configure_package_config_file(cmake/workerpoolConfig.cmake.in "${PROJECT_BINARY_DIR}/workerpoolConfig.cmake"
    INSTALL_DESTINATION "${package_dir}"
    PATH_VARS CMAKE_INSTALL_INCLUDEDIR CMAKE_INSTALL_LIBDIR)
# Until 1.0 the interface may change with the minor version.
if(PROJECT_VERSION_MAJOR EQUAL 0)
    set(compatibility SameMinorVersion)
else()
    set(compatibility SameMajorVersion)
endif()
write_basic_package_version_file("${PROJECT_BINARY_DIR}/workerpoolConfigVersion.cmake" COMPATIBILITY ${compatibility})
install(FILES
    "${PROJECT_BINARY_DIR}/workerpoolConfig.cmake"
    "${PROJECT_BINARY_DIR}/workerpoolConfigVersion.cmake"
    DESTINATION "${package_dir}")

set(pkgconfig_dir "${CMAKE_INSTALL_FULL_LIBDIR}/pkgconfig")
file(RELATIVE_PATH pc_prefix "${pkgconfig_dir}" "${CMAKE_INSTALL_PREFIX}")
file(RELATIVE_PATH pc_libdir "${CMAKE_INSTALL_PREFIX}" "${CMAKE_INSTALL_FULL_LIBDIR}")
file(RELATIVE_PATH pc_includedir "${CMAKE_INSTALL_PREFIX}" "${CMAKE_INSTALL_FULL_INCLUDEDIR}")
string(REGEX REPLACE "/$" "" pc_prefix "${pc_prefix}")
list(JOIN static_link_libraries " " pc_libs_private)
configure_file(cmake/workerpool.pc.in "${PROJECT_BINARY_DIR}/workerpool.pc" @ONLY)
install(FILES "${PROJECT_BINARY_DIR}/workerpool.pc" DESTINATION "${CMAKE_INSTALL_LIBDIR}/pkgconfig")
