# SPDX-License-Identifier: MIT
#
# The programs lie in the build tree as their sources lie here: examples/c/treehash, examples/cpp/01_hello …

set(examples
    c/01_hello.c c/02_backpressure.c c/03_shutdown.c c/04_errors.c c/05_results.c
    c/06_cancel_and_deadline.c c/07_serial.c c/08_retry.c c/09_event_loop.c c/10_testing.c c/11_rate_limit.c
    c/12_eight_things.c
    c/service.c
    cpp/01_hello.cpp cpp/02_backpressure.cpp cpp/03_errors.cpp
    cpp/04_groups.cpp cpp/05_serial.cpp cpp/06_retry.cpp cpp/07_when_room.cpp
    cpp/08_eight_things.cpp)

find_package(OpenSSL COMPONENTS Crypto)
if(OpenSSL_FOUND)
    list(APPEND examples c/treehash.c)
elseif("$ENV{CI}" STREQUAL "true")
    message(FATAL_ERROR "workerpool: no OpenSSL headers for examples/c/treehash, and CI must not skip it (libssl-dev)")
else()
    message(WARNING "workerpool: skipped: treehash (install libssl-dev)")
endif()

foreach(source IN LISTS examples)
    cmake_path(GET source PARENT_PATH directory)
    cmake_path(GET source STEM name)
    set(target example_${directory}_${name})
    workerpool_program(${target} "${PROJECT_SOURCE_DIR}/examples/${source}" workerpool::workerpool)
    set_target_properties(${target} PROPERTIES
        OUTPUT_NAME ${name}
        RUNTIME_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/examples/${directory}")
    if(name STREQUAL "treehash")
        target_link_libraries(${target} PRIVATE OpenSSL::Crypto)
    endif()
endforeach()
