/* SPDX-License-Identifier: MIT
 *
 * A plug-in that brings its own copy of the library: the static one, whose symbols it keeps to itself (--exclude-libs). Without that
 * its calls would go to the program's copy, if it has one.
 */
#include "copy.h"

extern const struct copy plugin_copy;
const struct copy plugin_copy = COPY_LINKED;
