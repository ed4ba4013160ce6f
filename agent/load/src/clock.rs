//! Waiting for a point in time more exactly than tokio's timer, whose wheel turns once a millisecond. On Linux a timer
//! of the kernel (timerfd), elsewhere tokio's.

use std::io;
use std::time::Instant;

use tokio::runtime::{Builder, LocalOptions, LocalRuntime};

/// A runtime in which alarms work. On Linux it has no timers of its own, whose clock would be read at every turn.
pub(crate) fn runtime() -> io::Result<LocalRuntime> {
    let mut builder = Builder::new_current_thread();
    builder.enable_io();
    #[cfg(not(target_os = "linux"))]
    builder.enable_time();
    builder.build_local(LocalOptions::default())
}

#[cfg(target_os = "linux")]
pub(crate) struct Alarm {
    timer: tokio::io::unix::AsyncFd<rustix::fd::OwnedFd>,
    /// The same moment on both clocks, so that alarms are set to absolute times: however long a worker is interrupted
    /// between asking for the time and setting its alarm, the alarm does not move.
    epoch: (Instant, std::time::Duration),
    /// By how much the kernel is usually late: a CPU at rest takes its time to wake, above all a virtual one.
    lateness: std::cell::Cell<std::time::Duration>,
}

/// The most lateness that is made up for. What is more comes from other work, and nothing can be learned from it.
#[cfg(target_os = "linux")]
const LATENESS_MAX: std::time::Duration = std::time::Duration::from_micros(100);
/// By how much the estimate of the lateness moves each time, so that it settles at the median.
#[cfg(target_os = "linux")]
const LATENESS_STEP: std::time::Duration = std::time::Duration::from_nanos(500);

#[cfg(target_os = "linux")]
impl Alarm {
    pub(crate) fn new() -> io::Result<Self> {
        use rustix::time::{ClockId, TimerfdClockId, TimerfdFlags, clock_gettime, timerfd_create};
        let timer = timerfd_create(TimerfdClockId::Monotonic, TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC)?;
        #[expect(deprecated, reason = "its successor is unsafe; an OwnedFd keeps the promise that it asks for")]
        let timer = tokio::io::unix::AsyncFd::new(timer)?;
        // In this order, so that the few instructions between the readings make an alarm late and not early.
        let instant = Instant::now();
        let monotonic = clock_gettime(ClockId::Monotonic);
        let monotonic =
            std::time::Duration::new(monotonic.tv_sec.cast_unsigned(), u32::try_from(monotonic.tv_nsec).unwrap_or(0));
        Ok(Self { timer, epoch: (instant, monotonic), lateness: std::cell::Cell::default() })
    }

    /// Returns when `at` has come. The timer is set earlier by its usual lateness, and what is then left to wait is spent
    /// looking for other work.
    pub(crate) async fn wait_until(&self, at: Instant) -> io::Result<()> {
        let ahead = at.checked_sub(self.lateness.get()).unwrap_or(at);
        if ahead > Instant::now() {
            self.wait_for_timer(ahead).await?;
            self.lateness.set(learned(self.lateness.get(), ahead.elapsed()));
        }
        while at > Instant::now() {
            tokio::task::yield_now().await;
        }
        Ok(())
    }

    /// Returns when the kernel says that `at` has come.
    async fn wait_for_timer(&self, at: Instant) -> io::Result<()> {
        use rustix::time::{Itimerspec, TimerfdTimerFlags, Timespec, timerfd_settime};
        let (instant, monotonic) = self.epoch;
        let absolute = monotonic + at.saturating_duration_since(instant);
        let zero = Timespec { tv_sec: 0, tv_nsec: 0 };
        let value = Timespec { tv_sec: absolute.as_secs().cast_signed(), tv_nsec: i64::from(absolute.subsec_nanos()) };
        timerfd_settime(&self.timer, TimerfdTimerFlags::ABSTIME, &Itimerspec { it_interval: zero, it_value: value })?;
        loop {
            // The timer is not read: setting it anew takes back its expirations, and the runtime is told of each new one.
            self.timer.readable().await?.clear_ready();
            if at <= Instant::now() {
                return Ok(());
            }
        }
    }
}

/// The estimate of the lateness after the timer was `late` once more.
#[cfg(target_os = "linux")]
fn learned(estimate: std::time::Duration, late: std::time::Duration) -> std::time::Duration {
    if late > estimate { (estimate + LATENESS_STEP).min(LATENESS_MAX) } else { estimate.saturating_sub(LATENESS_STEP) }
}

#[cfg(not(target_os = "linux"))]
pub(crate) struct Alarm;

#[cfg(not(target_os = "linux"))]
impl Alarm {
    pub(crate) fn new() -> io::Result<Self> {
        Ok(Self)
    }

    pub(crate) async fn wait_until(&self, at: Instant) -> io::Result<()> {
        tokio::time::sleep_until(at.into()).await;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test]
    async fn never_returns_early_and_can_be_set_again() {
        let alarm = Alarm::new().unwrap();
        for _ in 0..100 {
            let at = Instant::now() + Duration::from_micros(300);
            alarm.wait_until(at).await.unwrap();
            assert!(Instant::now() >= at);
        }
        alarm.wait_until(Instant::now()).await.unwrap();
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn lateness_settles_at_the_median_and_exceptions_do_not_move_it_far() {
        let micros = Duration::from_micros;
        let late =
            |number: u32| if number.is_multiple_of(10) { micros(5_000) } else { micros(25 + u64::from(number % 7)) };
        let settled = (0..10_000).map(late).fold(Duration::ZERO, learned);
        assert!((micros(26)..micros(32)).contains(&settled), "{settled:?}");
        let busy = (0..10_000).map(|_| micros(5_000)).fold(Duration::ZERO, learned);
        assert_eq!(busy, LATENESS_MAX);
    }

    #[tokio::test]
    async fn an_alarm_that_was_given_up_does_not_wake_the_next_too_early() {
        let alarm = Alarm::new().unwrap();
        for _ in 0..20 {
            let soon = alarm.wait_until(Instant::now() + Duration::from_micros(100));
            drop(tokio::time::timeout(Duration::ZERO, soon).await);
            let at = Instant::now() + Duration::from_millis(1);
            alarm.wait_until(at).await.unwrap();
            assert!(Instant::now() >= at);
        }
    }
}
