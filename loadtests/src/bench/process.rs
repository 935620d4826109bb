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

/// Microseconds of CPU that the process and its children have used, those that have ended too.
pub fn family_cpu_micros(parent: u32) -> anyhow::Result<u64> {
    let mut ticks = 0;
    for entry in fs::read_dir("/proc")? {
        let name = entry?.file_name();
        let Some(pid) = name.to_str().and_then(|name| name.parse::<u32>().ok()) else { continue };
        // One that ends meanwhile is counted with its parent the next time.
        let Ok(stat) = fs::read_to_string(format!("/proc/{pid}/stat")) else { continue };
        if pid == parent {
            ticks += ticks_of(&stat).unwrap_or_default() + ticks_of_ended_children(&stat).unwrap_or_default();
        } else if field(&stat, PARENT) == Some(u64::from(parent)) {
            ticks += ticks_of(&stat).unwrap_or_default();
        }
    }
    Ok(ticks * (1_000_000 / TICKS_PER_SECOND))
}

/// The parent of a process of this machine, if it is there and has this name.
pub fn parent_of(pid: u32, name: &str) -> Option<u32> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let is_it = stat.contains(&format!("({name})"));
    field(&stat, PARENT).filter(|_| is_it).and_then(|parent| u32::try_from(parent).ok())
}

// Places behind the program's name.
const PARENT: usize = 1;
const USER: usize = 11;
const SYSTEM: usize = 12;
const CHILDREN_USER: usize = 13;
const CHILDREN_SYSTEM: usize = 14;

fn ticks_of(stat: &str) -> Option<u64> {
    Some(field(stat, USER)? + field(stat, SYSTEM)?)
}

fn ticks_of_ended_children(stat: &str) -> Option<u64> {
    Some(field(stat, CHILDREN_USER)? + field(stat, CHILDREN_SYSTEM)?)
}

/// A field behind the program's name, which stands in parentheses and may hold spaces.
fn field(stat: &str, place: usize) -> Option<u64> {
    let after_name = &stat[stat.rfind(')')? + 1..];
    after_name.split_ascii_whitespace().nth(place)?.parse().ok()
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
        assert_eq!((field(stat, PARENT), ticks_of_ended_children(stat)), (Some(1), Some(0)));
        assert_eq!(ticks_of("nonsense"), None);
    }

    #[test]
    fn this_process_has_memory() {
        assert!(resident_bytes(std::process::id()).unwrap() > 100_000);
        cpu_micros(std::process::id()).unwrap();
    }
}
