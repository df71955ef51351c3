//! What the service manager hears: systemd's notification protocol, sd_notify(3).
//!
//! Where no service manager listens (`NOTIFY_SOCKET` is not set) nothing is sent. A message that cannot be sent is logged
//! and never an error: the daemon works as well without it.

use sd_notify::NotifyState;

/// The line to the service manager.
#[derive(Clone, Copy, Debug)]
pub struct Notifier {
    is_heard: bool,
    is_watched: bool,
}

impl Notifier {
    /// The line as the environment describes it: `NOTIFY_SOCKET`, `WATCHDOG_USEC`, `WATCHDOG_PID`.
    pub fn from_environment() -> Notifier {
        let is_heard = std::env::var_os("NOTIFY_SOCKET").is_some_and(|socket| !socket.is_empty());
        let is_watched = is_heard && sd_notify::watchdog_enabled().is_some_and(|limit| !limit.is_zero());
        Notifier { is_heard, is_watched }
    }

    /// Startup, or a reload, is finished.
    pub fn ready(&self) {
        self.send(&[NotifyState::Ready]);
    }

    /// A reload begins; [`Notifier::ready`] ends it, whether the config was accepted or not.
    pub fn reloading(&self) {
        // Type=notify-reload wants the monotonic time of the message beside it.
        match NotifyState::monotonic_usec_now() {
            Ok(now) => self.send(&[NotifyState::Reloading, now]),
            Err(error) => tracing::warn!("the monotonic clock cannot be read: {error}"),
        }
    }

    /// A shutdown begins.
    pub fn stopping(&self) {
        self.send(&[NotifyState::Stopping]);
    }

    /// One line on what the daemon does, for `systemctl status`.
    pub fn status(&self, text: &str) {
        // A line break would begin a new assignment.
        self.send(&[NotifyState::Status(&text.replace(['\n', '\r'], " "))]);
    }

    /// The scheduler loop has turned.
    pub fn watchdog(&self) {
        if self.is_watched {
            self.send(&[NotifyState::Watchdog]);
        }
    }

    fn send(&self, states: &[NotifyState<'_>]) {
        if !self.is_heard {
            return;
        }
        if let Err(error) = sd_notify::notify(states) {
            tracing::warn!("the service manager cannot be told: {error}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::net::UnixDatagram;
    use std::process::Command;
    use std::time::Duration;

    /// The environment of a process cannot be changed safely, so this test runs itself again in one that has a socket.
    const CHILD: &str = "S4CAST_TEST_NOTIFY_CHILD";

    #[test]
    fn a_service_manager_hears_every_state() {
        if std::env::var_os(CHILD).is_some() {
            let notifier = Notifier::from_environment();
            notifier.ready();
            notifier.status("next load 02:30\nREADY=0");
            notifier.watchdog();
            notifier.reloading();
            notifier.stopping();
            return;
        }
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notify.sock");
        let socket = UnixDatagram::bind(&path).unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        let child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "cli::notify::tests::a_service_manager_hears_every_state"])
            .env(CHILD, "1")
            .env("NOTIFY_SOCKET", &path)
            .env("WATCHDOG_USEC", "20000000")
            .env_remove("WATCHDOG_PID")
            .output()
            .unwrap();
        assert!(child.status.success(), "{}", String::from_utf8_lossy(&child.stdout));
        let mut buffer = [0; 256];
        let mut hear = || {
            let length = socket.recv(&mut buffer).unwrap();
            String::from_utf8_lossy(&buffer[..length]).trim_end().to_string()
        };
        assert_eq!(hear(), "READY=1");
        assert_eq!(hear(), "STATUS=next load 02:30 READY=0");
        assert_eq!(hear(), "WATCHDOG=1");
        let reloading = hear();
        assert!(reloading.starts_with("RELOADING=1\nMONOTONIC_USEC="), "{reloading}");
        assert_eq!(hear(), "STOPPING=1");
    }

    #[test]
    fn nobody_listens_to_a_daemon_in_a_terminal() {
        let notifier = Notifier { is_heard: false, is_watched: false };
        notifier.ready();
        notifier.watchdog();
        assert!(!notifier.is_watched);
    }
}
