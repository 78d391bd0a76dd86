//! Notices that an interface got or lost an address: at once where the kernel tells it (netlink, Linux), otherwise by
//! looking every few seconds.

use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use super::list;

/// Pause between looks where the kernel tells nothing; also the longest time for a watch to end.
const PERIOD: Duration = Duration::from_secs(5);

/// A running watch; it ends when dropped, a few seconds later at most.
pub struct InterfaceWatch {
    ended: Arc<AtomicBool>,
}

impl Drop for InterfaceWatch {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::Relaxed);
    }
}

/// Starts a thread that calls `tell` with the addresses of all interfaces: once at the start, so that nothing is missed
/// between an earlier look and now, and after each change.
///
/// # Errors
/// Where no thread can be started.
pub fn watch(tell: impl FnMut(Vec<IpAddr>) + Send + 'static) -> io::Result<InterfaceWatch> {
    let ended = Arc::new(AtomicBool::new(false));
    let has_ended = ended.clone();
    thread::Builder::new()
        .name("p2p-interfaces".to_owned())
        .spawn(move || run(News::open(), list, tell, &has_ended))?;
    Ok(InterfaceWatch { ended })
}

fn run(
    mut news: impl Wait,
    mut list: impl FnMut() -> Vec<IpAddr>,
    mut tell: impl FnMut(Vec<IpAddr>),
    ended: &AtomicBool,
) {
    let mut known = None;
    let mut look = true;
    while !ended.load(Ordering::Relaxed) {
        if look {
            let mut found = list();
            found.sort_unstable();
            if known.as_ref() != Some(&found) {
                known = Some(found.clone());
                tell(found);
            }
        }
        look = news.wait();
    }
}

/// Where news of the interfaces come from.
trait Wait {
    /// Waits for [`PERIOD`] at most; says whether the interfaces are to be looked at.
    fn wait(&mut self) -> bool;
}

/// The kernel's news where it gives any.
enum News {
    #[cfg(target_os = "linux")]
    Kernel(kernel::Announcements),
    Period(Duration),
}

impl News {
    #[cfg(target_os = "linux")]
    fn open() -> Self {
        match kernel::Announcements::open(PERIOD) {
            Ok(announcements) => Self::Kernel(announcements),
            Err(error) => {
                log::info!("the kernel does not tell of interfaces, so they are polled: {error}");
                Self::Period(PERIOD)
            }
        }
    }

    #[cfg(not(target_os = "linux"))]
    fn open() -> Self {
        Self::Period(PERIOD)
    }
}

impl Wait for News {
    fn wait(&mut self) -> bool {
        match self {
            #[cfg(target_os = "linux")]
            Self::Kernel(announcements) => match announcements.wait() {
                Ok(news) => news,
                Err(error) => {
                    log::warn!(
                        "the kernel's news of interfaces ended, so they are polled: {error}"
                    );
                    *self = Self::Period(PERIOD);
                    true
                }
            },
            Self::Period(pause) => {
                thread::sleep(*pause);
                true
            }
        }
    }
}

#[cfg(target_os = "linux")]
mod kernel {
    use std::io;
    use std::time::Duration;

    use netlink_sys::protocols::NETLINK_ROUTE;
    use netlink_sys::{Socket, SocketAddr};
    use socket2::SockRef;

    /// Groups of rtnetlink(7): links, IPv4 addresses, IPv6 addresses.
    const GROUPS: u32 = 0x1 | 0x10 | 0x100;
    /// Only that something came counts, so longer announcements may be cut.
    const ANNOUNCEMENT_BYTES: usize = 4_096;

    /// The kernel's announcements of changed links and addresses.
    pub(super) struct Announcements {
        socket: Socket,
    }

    impl Announcements {
        /// Subscribes; a wait takes `longest` at most.
        pub(super) fn open(longest: Duration) -> io::Result<Self> {
            let mut socket = Socket::new(NETLINK_ROUTE)?;
            SockRef::from(&socket).set_read_timeout(Some(longest))?;
            socket.bind(&SocketAddr::new(0, GROUPS))?;
            Ok(Self { socket })
        }

        /// Waits for an announcement; false where none came.
        pub(super) fn wait(&mut self) -> io::Result<bool> {
            let mut buffer = [0; ANNOUNCEMENT_BYTES];
            match self.socket.recv(&mut &mut buffer[..], 0) {
                Ok(_) => Ok(true),
                Err(error) => match error.kind() {
                    io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted => Ok(false),
                    // Some announcements were lost, so something changed.
                    _ if error.raw_os_error() == Some(libc::ENOBUFS) => Ok(true),
                    _ => Err(error),
                },
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;
    use std::sync::mpsc;

    use super::*;

    const INSIDE: &str = "P2P_TEST_IN_NAMESPACE";

    struct Script(Vec<bool>, Arc<AtomicBool>);

    impl Wait for Script {
        fn wait(&mut self) -> bool {
            let look = self.0.pop();
            self.1.store(look.is_none(), Ordering::Relaxed);
            look.unwrap_or_default()
        }
    }

    #[test]
    fn the_first_look_and_every_change_are_told() {
        let ip = |last: u8| IpAddr::from([192, 0, 2, last]);
        let mut looks = [vec![ip(1)], vec![ip(1)], vec![ip(2), ip(1)], vec![]].into_iter();
        let (ended, mut told) = (Arc::new(AtomicBool::new(false)), Vec::new());
        let news = Script(vec![true, false, true, true], ended.clone());
        let list = || looks.next().expect("no look without news");
        run(news, list, |found| told.push(found), &ended);
        assert_eq!(told, [vec![ip(1)], vec![ip(1), ip(2)], vec![]]);
    }

    #[test]
    fn polling_looks_at_the_interfaces() {
        assert!(News::Period(Duration::ZERO).wait());
    }

    /// Runs itself again in a network namespace of its own, where interfaces can be changed.
    #[test]
    #[cfg(target_os = "linux")]
    fn the_kernel_tells_of_new_and_lost_addresses() {
        if std::env::var_os(INSIDE).is_some() {
            return inside_namespace();
        }
        let name = "interfaces::watch::tests::the_kernel_tells_of_new_and_lost_addresses";
        let program = std::env::current_exe().expect("a program");
        let may = Command::new("unshare").args(["-n", "true"]).status();
        if !may.is_ok_and(|s| s.success()) {
            assert!(std::env::var_os("CI").is_none(), "unshare -n is needed");
            println!("stepped aside: no network namespace can be made here");
            return;
        }
        let output = Command::new("unshare")
            .arg("-n")
            .arg(program)
            .args(["--exact", name, "--nocapture"])
            .env(INSIDE, "1")
            .output()
            .expect("runs");
        let text = String::from_utf8_lossy(&output.stderr);
        let ran = String::from_utf8_lossy(&output.stdout).contains("1 passed");
        assert!(output.status.success() && ran, "{text}");
    }

    #[cfg(target_os = "linux")]
    fn inside_namespace() {
        let ip = |arguments: &str| {
            let status = Command::new("ip")
                .args(arguments.split(' '))
                .status()
                .expect("ip(8)");
            assert!(status.success(), "ip {arguments}");
        };
        ip("link set lo up");
        let (ended, (sender, told)) = (Arc::new(AtomicBool::new(false)), mpsc::channel());
        // Longer than the test waits: nothing is noticed by looking from time to time.
        let hour = Duration::from_secs(3_600);
        let news = kernel::Announcements::open(hour).expect("the kernel tells");
        let tell = move |found| sender.send(found).expect("heard");
        thread::spawn(move || run(News::Kernel(news), list, tell, &ended));
        let next = || {
            told.recv_timeout(Duration::from_secs(10))
                .expect("news in time")
        };
        let address: IpAddr = "192.0.2.9".parse().expect("an address");
        assert!(!next().contains(&address));
        ip("addr add 192.0.2.9/32 dev lo");
        while !next().contains(&address) {}
        ip("addr del 192.0.2.9/32 dev lo");
        while next().contains(&address) {}
    }
}
