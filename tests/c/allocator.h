/* SPDX-License-Identifier: MIT
 *
 * A program that includes this takes the place of glibc's allocator: malloc and its kin are counted, and may be made to fail.
 * Only for glibc, and without a sanitizer's allocator in front of it.
 */
#ifndef ALLOCATOR_H
#define ALLOCATOR_H

#include "check.h"

#include <malloc.h>

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *old, size_t size);
void *__libc_memalign(size_t alignment, size_t size);
void __libc_free(void *block);

static atomic_ulong requests;        /* Calls that asked for memory. */
static atomic_ulong requested_bytes; /* What they asked for. */
static atomic_long live;             /* Blocks asked for and not given back. */
static atomic_ulong calls;           /* All of these, with those that give back. */

/* So many more requests succeed, then one fails; negative: none does. */
static atomic_long until_failure = -1;

static bool shall_fail(void) {
    return atomic_load(&until_failure) >= 0 && atomic_fetch_sub(&until_failure, 1) == 0;
}

static void *counted(void *block, size_t size) {
    atomic_fetch_add(&calls, 1);
    atomic_fetch_add(&requests, 1);
    if (block != NULL) {
        atomic_fetch_add(&requested_bytes, size);
        atomic_fetch_add(&live, 1);
    } else {
        errno = ENOMEM;
    }
    return block;
}

void *malloc(size_t size) {
    return counted(shall_fail() ? NULL : __libc_malloc(size), size);
}

void *calloc(size_t count, size_t size) {
    return counted(shall_fail() ? NULL : __libc_calloc(count, size), count * size);
}

void *realloc(void *old, size_t size) {
    void *block = counted(shall_fail() ? NULL : __libc_realloc(old, size), size);
    if (old != NULL && block != NULL) {
        atomic_fetch_sub(&live, 1);
    }
    return block;
}

void *memalign(size_t alignment, size_t size) {
    return counted(shall_fail() ? NULL : __libc_memalign(alignment, size), size);
}

void *aligned_alloc(size_t alignment, size_t size) {
    return memalign(alignment, size);
}

int posix_memalign(void **block, size_t alignment, size_t size) {
    void *made = memalign(alignment, size);
    if (made == NULL) {
        return ENOMEM;
    }
    *block = made;
    return 0;
}

void free(void *block) {
    atomic_fetch_add(&calls, 1);
    if (block != NULL) {
        atomic_fetch_sub(&live, 1);
    }
    __libc_free(block);
}

#endif
