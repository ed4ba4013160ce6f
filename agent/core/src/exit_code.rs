//! What the exit codes of both programs mean. They are documented for users and never change their meaning.

use crate::condition::Obstacle;

/// How a program ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExitCode {
    /// What was asked for is so.
    Satisfied,
    /// A condition or an objective is not satisfied.
    Unsatisfied,
    /// The command line, the values or the spec are wrong.
    Usage,
    /// The time to wait ran out.
    TimedOut,
    /// A task failed, or the experiment could not run.
    TaskFailed,
    /// The evidence is not enough, or not to be trusted.
    Inconclusive,
    /// The cluster could not be reached or answered with an error; or a local file could not be read or written.
    Cluster,
    /// There is no such group, revision or namespace.
    NotFound,
    /// Not allowed: 401 or 403.
    NotAllowed,
    /// A defect of iter8.
    Internal,
    /// Stopped by SIGINT or SIGTERM.
    Interrupted,
}

impl ExitCode {
    /// Every code, in ascending order.
    pub const ALL: [Self; 11] = [
        Self::Satisfied,
        Self::Unsatisfied,
        Self::Usage,
        Self::TimedOut,
        Self::TaskFailed,
        Self::Inconclusive,
        Self::Cluster,
        Self::NotFound,
        Self::NotAllowed,
        Self::Internal,
        Self::Interrupted,
    ];

    /// The number that the process ends with.
    pub const fn code(self) -> u8 {
        match self {
            Self::Satisfied => 0,
            Self::Unsatisfied => 1,
            Self::Usage => 2,
            Self::TimedOut => 3,
            Self::TaskFailed => 4,
            Self::Inconclusive => 5,
            Self::Cluster => 10,
            Self::NotFound => 11,
            Self::NotAllowed => 12,
            Self::Internal => 70,
            Self::Interrupted => 130,
        }
    }
}

impl From<Obstacle> for ExitCode {
    fn from(obstacle: Obstacle) -> Self {
        match obstacle {
            Obstacle::TaskFailed => Self::TaskFailed,
            Obstacle::SloViolated => Self::Unsatisfied,
            Obstacle::Inconclusive => Self::Inconclusive,
            Obstacle::NotOver => Self::TimedOut,
        }
    }
}

impl From<ExitCode> for std::process::ExitCode {
    fn from(code: ExitCode) -> Self {
        Self::from(code.code())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_the_documented_ones() {
        let codes: Vec<u8> = ExitCode::ALL.iter().map(|code| code.code()).collect();
        assert_eq!(codes, [0, 1, 2, 3, 4, 5, 10, 11, 12, 70, 130]);
    }
}
