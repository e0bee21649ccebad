# SPDX-License-Identifier: MIT

# How every example and test is compiled: strictly, and to the letter of its standard.
function(workerpool_program target source library)
    add_executable(${target} "${source}")
    set_target_properties(${target} PROPERTIES
        C_STANDARD 11 C_STANDARD_REQUIRED ON C_EXTENSIONS OFF
        CXX_STANDARD 17 CXX_STANDARD_REQUIRED ON CXX_EXTENSIONS OFF)
    target_compile_options(${target} PRIVATE -Wall -Wextra -Wpedantic -Werror)
    target_link_libraries(${target} PRIVATE ${library} Threads::Threads)
    if(WORKERPOOL_SANITIZE)
        target_compile_options(${target} PRIVATE -fsanitize=${WORKERPOOL_SANITIZE} -fno-sanitize-recover=all
            -fno-omit-frame-pointer -g)
        target_link_options(${target} PRIVATE -fsanitize=${WORKERPOOL_SANITIZE})
    endif()
endfunction()
