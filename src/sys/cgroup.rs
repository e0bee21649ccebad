//! How much processor time the control groups of this process leave it: version 2 (`cpu.max`) and version 1 (`cpu.cfs_quota_us`),
//! wherever they are mounted, also both at once. A limit of any group above counts as well.
//!
//! Read without allocation: a pool is made where memory may be short, and what is allocated then is the pool's footprint. A line or a path
//! that is longer than the room for it is passed over; those of control groups are not.

use std::ffi::c_int;

const LINE: usize = 2048;
const PATH: usize = 1024;

/// Bytes in a place of fixed size.
struct Text<const ROOM: usize> {
    bytes: [u8; ROOM],
    length: usize,
}

impl<const ROOM: usize> Text<ROOM> {
    fn new() -> Self {
        Text { bytes: [0; ROOM], length: 0 }
    }

    fn get(&self) -> &[u8] {
        &self.bytes[..self.length]
    }

    /// All of it, or nothing and `None`. The byte behind is always 0.
    fn push(&mut self, more: &[u8]) -> Option<()> {
        let end = self.length + more.len();
        self.bytes.get_mut(self.length..end + 1)?[..more.len()].copy_from_slice(more);
        self.cut(end);
        Some(())
    }

    fn cut(&mut self, length: usize) {
        self.length = length;
        self.bytes[length] = 0;
    }
}

/// A file, line by line.
struct Lines {
    file: c_int,
    buffer: [u8; LINE],
    begin: usize,
    end: usize,
}

impl Lines {
    fn open<const ROOM: usize>(path: &Text<ROOM>) -> Option<Lines> {
        // SAFETY: ends with 0, since there is room for one byte more.
        let file = unsafe { libc::open(path.bytes.as_ptr().cast(), libc::O_RDONLY | libc::O_CLOEXEC) };
        (file >= 0).then_some(Lines { file, buffer: [0; LINE], begin: 0, end: 0 })
    }

    /// Reads on, behind what is there; false at the end.
    fn fill(&mut self) -> bool {
        self.buffer.copy_within(self.begin..self.end, 0);
        (self.begin, self.end) = (0, self.end - self.begin);
        let room = &mut self.buffer[self.end..];
        loop {
            // SAFETY: so much room is there.
            let got = unsafe { libc::read(self.file, room.as_mut_ptr().cast(), room.len()) };
            if got >= 0 {
                self.end += got as usize;
                return got > 0;
            }
            if std::io::Error::last_os_error().kind() != std::io::ErrorKind::Interrupted {
                return false;
            }
        }
    }

    /// The next line, without its end.
    fn next(&mut self) -> Option<&[u8]> {
        let mut is_too_long = false;
        loop {
            let filled = self.begin..self.end;
            if let Some(length) = self.buffer[filled.clone()].iter().position(|&byte| byte == b'\n') {
                self.begin += length + 1;
                if is_too_long {
                    is_too_long = false;
                    continue;
                }
                return Some(&self.buffer[filled.start..filled.start + length]);
            }
            if filled.len() == LINE {
                is_too_long = true;
                self.begin = self.end;
            }
            if !self.fill() {
                // The last line may lack its end.
                let rest = self.begin..self.end;
                self.begin = self.end;
                return (!rest.is_empty() && !is_too_long).then(|| &self.buffer[rest]);
            }
        }
    }
}

impl Drop for Lines {
    fn drop(&mut self) {
        // SAFETY: a descriptor that is ours, for the last time.
        unsafe { libc::close(self.file) };
    }
}

fn number(text: &[u8]) -> Option<u64> {
    std::str::from_utf8(text).ok()?.trim().parse().ok()
}

/// The paths of this process's groups, as the kernel tells them.
struct Groups {
    /// In the hierarchy of version 2.
    unified: Option<Text<PATH>>,
    /// In that of version 1 which has the controller `cpu`.
    cpu: Option<Text<PATH>>,
}

impl Groups {
    fn read(root: &[u8]) -> Option<Groups> {
        let mut groups = Groups { unified: None, cpu: None };
        let mut lines = open(&[root, b"/proc/self/cgroup"])?;
        while let Some(line) = lines.next() {
            let mut fields = line.splitn(3, |&byte| byte == b':');
            let (Some(number), Some(controllers), Some(path)) = (fields.next(), fields.next(), fields.next())
            else {
                continue;
            };
            let mut kept = Text::new();
            if kept.push(path).is_none() {
                continue;
            }
            if number == b"0" && controllers.is_empty() {
                groups.unified = Some(kept);
            } else if has_word(controllers, b"cpu") {
                groups.cpu = Some(kept);
            }
        }
        Some(groups)
    }
}

fn has_word(list: &[u8], word: &[u8]) -> bool {
    list.split(|&byte| byte == b',').any(|part| part == word)
}

fn open(parts: &[&[u8]]) -> Option<Lines> {
    let mut path = Text::<{ 2 * PATH }>::new();
    parts.iter().try_for_each(|part| path.push(part))?;
    Lines::open(&path)
}

/// One mounted hierarchy: "36 35 98:0 /root /mount/point options - type source options-of-the-type".
struct Mount<'a> {
    root: &'a [u8],
    point: &'a [u8],
    kind: &'a [u8],
    options: &'a [u8],
}

impl Mount<'_> {
    fn parse(line: &[u8]) -> Option<Mount<'_>> {
        let mut words = line.split(|&byte| byte == b' ');
        let (root, point) = (words.nth(3)?, words.next()?);
        words.find(|word| *word == b"-")?;
        let kind = words.next()?;
        words.next()?;
        Some(Mount { root, point, kind, options: words.next()? })
    }

    /// The fewest whole processors that the group at `path`, or one above it, may use; each asked by `limit`.
    fn fewest(&self, root: &[u8], path: &[u8], limit: fn(&[u8]) -> Option<u64>) -> Option<u64> {
        let mut group = Text::<{ 2 * PATH }>::new();
        group.push(root)?;
        group.push(self.point)?;
        let top = group.length;
        // What is mounted may be a group below the hierarchy's top, a container's say.
        let inner = if self.root == b"/" { path } else { path.strip_prefix(self.root).unwrap_or(b"") };
        group.push(inner.strip_suffix(b"/").unwrap_or(inner))?;
        let mut fewest = None;
        loop {
            fewest = fewer(fewest, limit(group.get()));
            if group.length <= top {
                return fewest;
            }
            let above = group.get().iter().rposition(|&byte| byte == b'/').unwrap_or(0);
            group.cut(above.max(top));
        }
    }
}

fn fewer(one: Option<u64>, other: Option<u64>) -> Option<u64> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        _ => one.or(other),
    }
}

/// "max 100000", "150000 100000".
fn limit_v2(group: &[u8]) -> Option<u64> {
    let mut file = open(&[group, b"/cpu.max"])?;
    let mut words = file.next()?.split(|&byte| byte == b' ');
    let (quota, period) = (number(words.next()?)?, number(words.next()?)?);
    quota.checked_div(period)
}

/// Two files; a quota of -1 is none.
fn limit_v1(group: &[u8]) -> Option<u64> {
    let quota = number(open(&[group, b"/cpu.cfs_quota_us"])?.next()?)?;
    let period = number(open(&[group, b"/cpu.cfs_period_us"])?.next()?)?;
    quota.checked_div(period)
}

/// The whole processors that the groups' quotas allow, rounded down, so that it may be 0; `None` if there is no quota. `root` is put
/// before every path: empty but for tests.
pub fn quota(root: &[u8]) -> Option<u64> {
    let groups = Groups::read(root)?;
    let mut mounts = open(&[root, b"/proc/self/mountinfo"])?;
    let mut fewest = None;
    while let Some(line) = mounts.next() {
        let Some(mount) = Mount::parse(line) else { continue };
        let limited = match mount.kind {
            b"cgroup2" => groups.unified.as_ref().map(|path| mount.fewest(root, path.get(), limit_v2)),
            b"cgroup" if has_word(mount.options, b"cpu") => {
                groups.cpu.as_ref().map(|path| mount.fewest(root, path.get(), limit_v1))
            }
            _ => None,
        };
        fewest = fewer(fewest, limited.flatten());
    }
    fewest
}

#[cfg(test)]
#[path = "cgroup_tests.rs"]
mod tests;
