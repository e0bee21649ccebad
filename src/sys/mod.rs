//! What only the operating system can do, in small functions with safe or plainly stated contracts.

#[cfg(target_os = "linux")]
pub mod cgroup;
pub mod clock;
pub mod cpus;
pub mod eventfd;
pub mod fork;
#[cfg(target_os = "linux")]
pub mod futex;
pub mod thread;
