//! A list of nodes that lie in others' memory: on the stack of a thread that waits, or where a C program keeps them (law L1:
//! waiting allocates nothing, and any number can wait).
//!
//! # Invariants
//!
//! - N1: a node is linked and unlinked under the lock that its list lies behind, and stays where it is from the one to the other.
//!   So whoever has that lock may touch every node that is linked.

#![allow(unsafe_code, reason = "the nodes belong to those who wait")]

use std::cell::Cell;
use std::ptr;

/// A node's neighbours; guarded by its list's lock.
#[repr(C)]
pub struct Links<T> {
    before: Cell<*const T>,
    behind: Cell<*const T>,
}

impl<T> Links<T> {
    pub fn new() -> Self {
        Links { before: Cell::new(ptr::null()), behind: Cell::new(ptr::null()) }
    }
}

pub trait Node: Sized {
    fn links(&self) -> &Links<Self>;
}

pub struct List<T: Node> {
    first: *const T,
    last: *const T,
}

// SAFETY: the nodes behind the pointers are used under the list's lock only, and stay while they are linked (N1).
unsafe impl<T: Node> Send for List<T> {}

impl<T: Node> List<T> {
    pub fn new() -> Self {
        List { first: ptr::null(), last: ptr::null() }
    }

    pub fn is_empty(&self) -> bool {
        self.first.is_null()
    }

    pub fn first(&self) -> Option<&T> {
        // SAFETY: what is linked is there (N1).
        unsafe { self.first.as_ref() }
    }

    pub fn has_first(&self, node: &T) -> bool {
        ptr::eq(self.first, node)
    }

    pub fn iter(&self) -> impl Iterator<Item = &T> {
        // SAFETY: as above.
        std::iter::successors(self.first(), |node| unsafe { node.links().behind.get().as_ref() })
    }

    /// Links a node at the back.
    ///
    /// # Safety
    /// The node is on no list, and stays where it is until it is unlinked.
    pub unsafe fn link(&mut self, node: *const T) {
        // SAFETY: the caller's promise.
        let links = unsafe { &*node }.links();
        links.before.set(self.last);
        links.behind.set(ptr::null());
        // SAFETY: what is linked is there (N1).
        match unsafe { self.last.as_ref() } {
            Some(last) => last.links().behind.set(node),
            None => self.first = node,
        }
        self.last = node;
    }

    /// # Safety
    /// The node is on this list.
    pub unsafe fn unlink(&mut self, node: &T) {
        let (before, behind) = (node.links().before.get(), node.links().behind.get());
        // SAFETY: the neighbours are linked, so they are there (N1).
        match unsafe { before.as_ref() } {
            Some(before) => before.links().behind.set(behind),
            None => self.first = behind,
        }
        // SAFETY: as above.
        match unsafe { behind.as_ref() } {
            Some(behind) => behind.links().before.set(before),
            None => self.last = before,
        }
    }
}
