# SPDX-License-Identifier: MIT
"""workerpool.py has no header: what it says by hand about structs, numbers and functions is what workerpool.h says."""
import ctypes
import pathlib
import re
import unittest

import workerpool

ROOT = pathlib.Path(__file__).resolve().parents[3]
HEADER = re.sub(r"/\*.*?\*/", "", (ROOT / "include/workerpool.h").read_text(), flags=re.S)

NUMBERS = {"size_t": ctypes.c_size_t, "uint32_t": ctypes.c_uint32, "int32_t": ctypes.c_int32, "uint64_t": ctypes.c_uint64,
           "int": ctypes.c_int}
STRUCTS = {"wp_options": workerpool.Options, "wp_task": workerpool.Task, "wp_outcome": workerpool.Outcome,
           "wp_stats": workerpool.Stats, "wp_group_options": workerpool.GroupOptions,
           "wp_group_status": workerpool.GroupStatus, "wp_results_options": workerpool.ResultsOptions,
           "wp_record": workerpool.RawRecord}


def fields_of(name):
    body = re.search(rf"typedef struct {name} \{{(.*?)\}} {name};", HEADER, re.S)[1]
    return [line.strip() for line in body.split(";") if line.strip()]


class Header(unittest.TestCase):
    def test_structs(self):
        for name, struct in STRUCTS.items():
            ours = list(struct._fields_)
            for line in fields_of(name):
                with self.subTest(struct=name, field=line):
                    kind, stars, field, array = re.fullmatch(
                        r"(?:const )?(?:struct )?(\w+) (\*?)(\w+)(\[\w+\])?", line).groups()
                    our_field, our_kind = ours.pop(0)
                    self.assertEqual(field, our_field)
                    if array:
                        size = int(re.search(rf"#define {array[1:-1]} (\d+)", HEADER)[1])
                        self.assertEqual(our_kind, ctypes.c_char * size)
                    elif stars or kind.endswith("_fn"):
                        self.assertIn(our_kind, (ctypes.c_void_p, ctypes.c_char_p) if kind == "char" else (ctypes.c_void_p,))
                    else:
                        self.assertEqual(our_kind, NUMBERS[kind])
            self.assertEqual(ours, [], name)

    def test_numbers(self):
        theirs = {name: int(number, 0) for name, number in re.findall(r"#define WP_(\w+) (-?\d+)(?:ull)?\s*$", HEADER, re.M)}
        ours = {name: number for name, number in vars(workerpool).items() if name.isupper() and isinstance(number, int)
                and not name.startswith("_")}
        self.assertGreater(len(ours), 20)
        for name, number in ours.items():
            with self.subTest(name=name):
                self.assertEqual(number, theirs[name])
        codes = {name for name, number in theirs.items() if number < 0}
        self.assertEqual(codes, {name for name, number in ours.items() if number < 0}, "a code is missing")

    def test_functions(self):
        for name, (returned, *arguments) in workerpool._FUNCTIONS.items():
            with self.subTest(function=name):
                prototype = re.search(rf"^(.*\b.*?){name}\(([^)]*)\)", HEADER, re.M)
                result = prototype[1].replace("WP_API", "").replace("WP_MUST_USE", "").strip()
                self.assertEqual(returned, ctypes.c_char_p if result == "const char *" else NUMBERS[result])
                theirs = [] if prototype[2] == "void" else prototype[2].split(",")
                self.assertEqual(len(theirs), len(arguments))
                for text, kind in zip(theirs, arguments):
                    if "*" in text:
                        self.assertTrue(kind is ctypes.c_void_p or issubclass(kind, ctypes._Pointer), text)
                    else:
                        self.assertEqual(NUMBERS[text.split()[0]], kind, text)
