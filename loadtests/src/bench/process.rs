//! What the kernel says of a process (Linux).

use std::fs;

use anyhow::Context;

/// Clock ticks of `/proc/<pid>/stat` in a second: USER_HZ, which is 100 on every architecture we build for.
const TICKS_PER_SECOND: u64 = 100;

/// Microseconds of CPU that the process has used, in user and in kernel mode, all threads together.
pub fn cpu_micros(pid: u32) -> anyhow::Result<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).context("reading a process's CPU time")?;
    let ticks = ticks_of(&stat).with_context(|| format!("/proc/{pid}/stat reads {stat:?}"))?;
    Ok(ticks * (1_000_000 / TICKS_PER_SECOND))
}

/// The 14th and 15th fields. The second is the program's name in parentheses and may hold spaces.
fn ticks_of(stat: &str) -> Option<u64> {
    let after_name = &stat[stat.rfind(')')? + 1..];
    let mut fields = after_name.split_ascii_whitespace().skip(11);
    let user: u64 = fields.next()?.parse().ok()?;
    let system: u64 = fields.next()?.parse().ok()?;
    Some(user + system)
}

/// Bytes of memory that are resident.
pub fn resident_bytes(pid: u32) -> anyhow::Result<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).context("reading a process's memory")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no VmRSS")?;
    let kilobytes: u64 = line.trim().trim_end_matches(" kB").parse().context("VmRSS in kB")?;
    Ok(kilobytes * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_times_are_found_behind_any_name() {
        let stat = "42 (a (b) c) S 1 42 42 0 -1 4194560 100 0 0 0 250 50 0 0 20 0 4 0 100 1000 10";
        assert_eq!(ticks_of(stat), Some(300));
        assert_eq!(ticks_of("nonsense"), None);
    }

    #[test]
    fn this_process_has_memory() {
        assert!(resident_bytes(std::process::id()).unwrap() > 100_000);
        cpu_micros(std::process::id()).unwrap();
    }
}
