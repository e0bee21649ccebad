// SPDX-License-Identifier: MIT

package workerpool

import "sync"

// A table holds what C knows by a number: C keeps the number, never a pointer of Go's.
//
// A number is in use from put to take, and names one entry meanwhile; afterwards it is used again. Taking twice what was put once
// would be a task with two fates: that is a panic, not a silent mix-up.
type table[T any] struct {
	mu      sync.Mutex
	entries []entry[T]
	free    []uintptr
}

type entry[T any] struct {
	value T
	used  bool
}

// put never returns 0, so that 0 can mean "none".
func (t *table[T]) put(value T) uintptr {
	t.mu.Lock()
	defer t.mu.Unlock()
	if last := len(t.free) - 1; last >= 0 {
		id := t.free[last]
		t.free = t.free[:last]
		t.entries[id-1] = entry[T]{value, true}
		return id
	}
	t.entries = append(t.entries, entry[T]{value, true})
	return uintptr(len(t.entries))
}

func (t *table[T]) take(id uintptr) T {
	t.mu.Lock()
	defer t.mu.Unlock()
	taken := t.entries[id-1]
	if !taken.used {
		panic("workerpool: the same number was taken twice")
	}
	t.entries[id-1] = entry[T]{}
	t.free = append(t.free, id)
	return taken.value
}

func (t *table[T]) get(id uintptr) T {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.entries[id-1].value
}

// size is how many numbers are in use.
func (t *table[T]) size() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.entries) - len(t.free)
}
