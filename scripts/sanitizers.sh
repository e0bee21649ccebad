# SPDX-License-Identifier: MIT
#
# shellcheck shell=bash
# Sourced after common.sh: how the library and the test programs are built with a sanitizer, and how the programs are run under one.

# The thread sanitizer wants Rust's standard library instrumented, too, or it reports races that are none; so it wants a Rust that has its
# own sources: this user's, or the system's beside it.
rust_with_sources() {
    local rustc
    for rustc in "$(command -v rustc)" /usr/bin/rustc; do
        if [ -x "$rustc" ] && [ "$("$rustc" --version | cut -d . -f 2)" -ge 85 ] &&
            [ -e "$("$rustc" --print sysroot)/lib/rustlib/src/rust/library/std/Cargo.toml" ]; then
            echo "$rustc"
            return
        fi
    done
    return 1
}
# The oldest clang whose runtime has all that Rust's instrumentation calls. gcc's has not.
clang_for_threads() {
    local clang
    for clang in clang-19 clang-20 clang-21 clang-22 clang; do
        if command -v "$clang" >/dev/null && [ "$("$clang" -dumpversion | sed 's/\..*//')" -ge 19 ] &&
            echo 'int main() { return 0; }' | "$clang" -fsanitize=thread -x c++ - -o /dev/null 2>/dev/null; then
            echo "$clang"
            return
        fi
    done
    return 1
}

# use_sanitizer address|thread: compilers and flags, in the environment and in c_compiler, cxx_compiler and c_flags.
use_sanitizer() {
    # rustc has its sanitizers behind a switch for the unstable. The optimiser is held back: it hides mistakes, and takes the most time.
    export RUSTC_BOOTSTRAP=1 RUSTFLAGS="-Zsanitizer=$1"
    export CARGO_PROFILE_RELEASE_LTO=off CARGO_PROFILE_RELEASE_CODEGEN_UNITS=16 CARGO_PROFILE_RELEASE_OPT_LEVEL=1
    case $1 in
    address)
        sanitize=address,undefined c_compiler=${CC:-cc} cxx_compiler=${CXX:-c++}
        export LSAN_OPTIONS=exitcode=23 UBSAN_OPTIONS=print_stacktrace=1
        ;;
    thread)
        RUSTC=$(rust_with_sources) ||
            skip "thread sanitizer: a Rust with its sources (rustup component add rust-src, or Debian's rustc-web cargo-web rust-web-src)"
        c_compiler=$(clang_for_threads) || skip "thread sanitizer: clang 19 with its runtime (Debian's clang-19 libclang-rt-19-dev)"
        sanitize=thread cxx_compiler=${c_compiler/clang/clang++}
        export RUSTC PATH=${RUSTC%/*}:$PATH
        # Rust's own copy of the runtime may be missing; Rust programs get clang's.
        RUSTFLAGS+=" -Zexternal-clangrt -Clinker=$c_compiler -Clink-arg=-fsanitize=thread"
        export CARGO_UNSTABLE_BUILD_STD=std,panic_unwind CARGO_UNSTABLE_BUILD_STD_FEATURES=panic-unwind
        # A test's forked child may start threads of its own. LLVM's symbolizer comes with another package.
        export TSAN_OPTIONS="die_after_fork=0 external_symbolizer_path=$(command -v addr2line)"
        ;;
    esac
    c_flags=(-g -O1 -fno-omit-frame-pointer "-fsanitize=$sanitize" -fno-sanitize-recover=all)
    host=$("${RUSTC:-rustc}" -vV | sed -n 's/^host: //p')
}

# build_sanitized DIR TARGETS: the library and these targets of CMake (words) in DIR, for the sanitizer in use.
build_sanitized() {
    local dir=$1
    mkdir -p "$dir"
    # Naming the target keeps the flags out of build scripts.
    cmake -S "$ROOT" -B "$dir" -DCMAKE_BUILD_TYPE=Release -DCMAKE_C_FLAGS_RELEASE=-O1 -DCMAKE_CXX_FLAGS_RELEASE=-O1 \
        -DCMAKE_C_COMPILER="$c_compiler" -DCMAKE_CXX_COMPILER="$cxx_compiler" -DCARGO="$(command -v cargo)" \
        -DWORKERPOOL_SANITIZE="$sanitize" -DWORKERPOOL_CARGO_TARGET="$host" -DWORKERPOOL_BUILD_EXAMPLES=OFF >"$dir/configure.log" 2>&1 ||
        fail "$(tail -20 "$dir/configure.log")"
    # shellcheck disable=SC2086 # words
    cmake --build "$dir" --parallel "${JOBS:-$(nproc)}" --target workerpool_cargo $2 >"$dir/build.log" 2>&1 ||
        fail "$(tail -20 "$dir/build.log")"
}

# --fair-sched: one thread runs at a time, and one that polls must not keep from running what it polls for.
MEMCHECK=(valgrind --quiet --fair-sched=yes --error-exitcode=1 --leak-check=full --errors-for-leak-kinds=definite
    --show-leak-kinds=definite "--suppressions=$ROOT/tests/valgrind.supp")

# What a tool has to say, of any process of a test, is a finding, whatever the test makes of it.
FINDING='WARNING: ThreadSanitizer|ERROR: (Address|Leak)Sanitizer|runtime error: |Sanitizer:DEADLYSIGNAL|^==[0-9]+== (Invalid|Mismatched|Conditional|Use of|Syscall|Process terminating|[0-9,]+ bytes in .* lost)'

# must_find DIR PROGRAM TEXT COMMAND…: the command, which runs tests/planted/PROGRAM, fails, and TEXT says why.
must_find() {
    local log=$1/planted_$2.log text=$3 name=$2
    shift 3
    if "$@" >"$log" 2>&1 || ! grep -qE "$text" "$log" || ! grep -qE "$FINDING" "$log"; then
        fail "the planted mistake $name was not found: nothing below would mean anything. $(tail -20 "$log")"
    fi
    echo "found, as planted: $name: $(grep -m 1 -oE "$text" "$log")"
}
# must_find_sanitized DIR PROGRAM TEXT: the same, compiled as the tests are.
must_find_sanitized() {
    "$c_compiler" "${c_flags[@]}" -I"$ROOT/include" "$ROOT/tests/planted/$2.c" -L"$1/lib" -Wl,-rpath,"$1/lib" -lworkerpool -lpthread \
        -o "$1/planted_$2" || fail "tests/planted/$2.c does not compile"
    must_find "$1" "$2" "$3" "$1/planted_$2"
}

programs=0 skipped=0
# run_program DIR NAME COMMAND…: a test program passes, and no tool finds anything in any process of it.
run_program() {
    local log=$1/$2.log name=$2 began=$SECONDS status=0
    shift 2
    timeout "${LIMIT:-600}" "$@" >"$log" 2>&1 || status=$?
    if grep -qE "$FINDING" "$log" || { [ $status != 0 ] && [ $status != 77 ]; }; then
        fail "$name ended with $status: $(grep -E -A 40 -m 1 "$FINDING" "$log" || true)
$(tail -n 5 "$log")
(all of it: $log)"
    fi
    if [ $status = 77 ]; then skipped=$((skipped + 1)); else programs=$((programs + 1)); fi
    echo "$(grep -v '^$' "$log" | tail -n 1) ($((SECONDS - began)) s)"
}
# tests_of c|cpp [NOT…]: the programs of tests/c or tests/cpp, as LANGUAGE_NAME, but those of the names NOT.
tests_of() {
    local language=$1 source name
    shift
    for source in "$ROOT/tests/$language"/*."$language"; do
        name=$(basename "$source" ".$language")
        [[ " $* " == *" $name "* ]] || echo "${language}_$name"
    done
}
# targets TESTS: what CMake calls them.
targets() {
    local name
    for name in $1; do echo "test_${name}_shared"; done
}
# run_tests DIR TESTS COMMAND…: each of these tests (words, as above), by this command if one is given.
run_tests() {
    local dir=$1 tests=$2 name
    shift 2
    for name in $tests; do run_program "$dir" "$name" "$@" "$dir/tests/${name%%_*}/test_${name}_shared"; done
}
