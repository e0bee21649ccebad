# SPDX-License-Identifier: MIT
#
# c.NAME.shared, c.NAME.static     each program of tests/c (and cpp.… of tests/cpp), linked to either library
# programs.NAME                    the examples, driven by tests/programs/NAME.py
# header.…, abi, readme, consumer   what a compiler, a linker and a user see of the library
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
workerpool_script(instructions 120 "${scripts}/instructions" "${PROJECT_BINARY_DIR}")
workerpool_script(readme 60 "${tests}/header/readme" "${PROJECT_BINARY_DIR}")
workerpool_script(consumer 600 "${tests}/consumer/run" "${PROJECT_BINARY_DIR}/consumer")

get_property(all_tests DIRECTORY PROPERTY TESTS)
set_tests_properties(${all_tests} PROPERTIES SKIP_RETURN_CODE 77)
