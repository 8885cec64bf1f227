//! Peak memory of this process.

/// Peak memory in bytes; `None` if the system does not report it.
#[cfg(target_os = "linux")]
pub fn peak_bytes() -> Option<u64> {
    // Not getrusage, whose figure begins with that of the process that started this one.
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kibibytes: u64 = line.trim().strip_suffix(" kB")?.parse().ok()?;
    Some(kibibytes << 10)
}

/// Peak memory in bytes; `None` if the system does not report it.
#[cfg(all(unix, not(target_os = "linux")))]
pub fn peak_bytes() -> Option<u64> {
    use nix::sys::resource::{UsageWho, getrusage};
    let most = u64::try_from(getrusage(UsageWho::RUSAGE_SELF).ok()?.max_rss()).ok()?;
    // Apple counts bytes, the others kibibytes.
    Some(if cfg!(target_vendor = "apple") { most } else { most << 10 })
}

/// Peak memory in bytes; `None` if the system does not report it.
#[cfg(not(unix))]
pub fn peak_bytes() -> Option<u64> {
    None
}
