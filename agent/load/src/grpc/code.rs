//! The status codes of gRPC (doc/statuscodes.md), and which code a call has that ended without one.

use std::fmt;

use h2::Reason;
use http::StatusCode;

use crate::report::ErrorKind;

/// A status code of gRPC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Code {
    /// 0: success.
    Ok,
    /// 1: the call was given up by its caller.
    Cancelled,
    /// 2: an error that says nothing of itself.
    Unknown,
    /// 3: the caller asked for something impossible.
    InvalidArgument,
    /// 4: not done in time.
    DeadlineExceeded,
    /// 5: what was asked for does not exist.
    NotFound,
    /// 6: what was to be made exists.
    AlreadyExists,
    /// 7: the caller may not do this.
    PermissionDenied,
    /// 8: something is used up, perhaps a quota.
    ResourceExhausted,
    /// 9: the system is not in the state that the call needs.
    FailedPrecondition,
    /// 10: given up because of others who did something at the same time.
    Aborted,
    /// 11: beyond what is valid.
    OutOfRange,
    /// 12: the method is not there.
    Unimplemented,
    /// 13: something is broken.
    Internal,
    /// 14: the service cannot be reached now.
    Unavailable,
    /// 15: data is lost.
    DataLoss,
    /// 16: the caller has not said who it is.
    Unauthenticated,
}

impl Code {
    /// All codes, by their number.
    pub const ALL: [Self; 17] = [
        Self::Ok,
        Self::Cancelled,
        Self::Unknown,
        Self::InvalidArgument,
        Self::DeadlineExceeded,
        Self::NotFound,
        Self::AlreadyExists,
        Self::PermissionDenied,
        Self::ResourceExhausted,
        Self::FailedPrecondition,
        Self::Aborted,
        Self::OutOfRange,
        Self::Unimplemented,
        Self::Internal,
        Self::Unavailable,
        Self::DataLoss,
        Self::Unauthenticated,
    ];

    /// What a status line of gRPC says; a number that is no code is `UNKNOWN`, as is what is no number (doc/statuscodes.md,
    /// "Error parsing returned status").
    pub(crate) fn parse(value: &[u8]) -> Self {
        let number = std::str::from_utf8(value).ok().and_then(|text| text.parse::<usize>().ok());
        number.and_then(|number| Self::ALL.get(number).copied()).unwrap_or(Self::Unknown)
    }

    /// The code of an answer without one, by its status of HTTP (doc/http-grpc-status-mapping.md). Where both are given, the
    /// code of gRPC counts.
    pub(crate) const fn of_http(status: StatusCode) -> Self {
        match status.as_u16() {
            400 | 431 => Self::Internal,
            401 => Self::Unauthenticated,
            403 => Self::PermissionDenied,
            404 => Self::Unimplemented,
            429 | 502..=504 => Self::Unavailable,
            _ => Self::Unknown,
        }
    }

    /// The code of a call whose stream was reset for this reason (PROTOCOL-HTTP2, "Errors").
    pub(crate) const fn of_reset(reason: Reason) -> Self {
        match reason {
            Reason::REFUSED_STREAM => Self::Unavailable,
            Reason::CANCEL => Self::Cancelled,
            Reason::ENHANCE_YOUR_CALM => Self::ResourceExhausted,
            Reason::INADEQUATE_SECURITY => Self::PermissionDenied,
            _ => Self::Internal,
        }
    }

    /// The code of a call that ended without any answer.
    pub(crate) const fn of(error: ErrorKind) -> Self {
        match error {
            ErrorKind::Grpc(code) => code,
            ErrorKind::Timeout => Self::DeadlineExceeded,
            ErrorKind::Resolve
            | ErrorKind::Refused
            | ErrorKind::Connect
            | ErrorKind::Tls
            | ErrorKind::Reset
            | ErrorKind::Closed => Self::Unavailable,
            ErrorKind::Protocol => Self::Internal,
            ErrorKind::Status(_) => Self::Unknown,
        }
    }

    /// Its number on the wire.
    pub const fn number(self) -> u8 {
        self as u8
    }

    /// Its name in the specification.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ok => "OK",
            Self::Cancelled => "CANCELLED",
            Self::Unknown => "UNKNOWN",
            Self::InvalidArgument => "INVALID_ARGUMENT",
            Self::DeadlineExceeded => "DEADLINE_EXCEEDED",
            Self::NotFound => "NOT_FOUND",
            Self::AlreadyExists => "ALREADY_EXISTS",
            Self::PermissionDenied => "PERMISSION_DENIED",
            Self::ResourceExhausted => "RESOURCE_EXHAUSTED",
            Self::FailedPrecondition => "FAILED_PRECONDITION",
            Self::Aborted => "ABORTED",
            Self::OutOfRange => "OUT_OF_RANGE",
            Self::Unimplemented => "UNIMPLEMENTED",
            Self::Internal => "INTERNAL",
            Self::Unavailable => "UNAVAILABLE",
            Self::DataLoss => "DATA_LOSS",
            Self::Unauthenticated => "UNAUTHENTICATED",
        }
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_stand_at_their_number() {
        assert!(Code::ALL.iter().zip(0u8..).all(|(code, number)| code.number() == number));
        assert!(Code::ALL.iter().all(|code| Code::parse(code.number().to_string().as_bytes()) == *code));
    }

    #[test]
    fn what_is_no_code_is_unknown() {
        for value in ["17", "-1", "", "OK", "1000000000000000000000", "\u{fffd}"] {
            assert_eq!(Code::parse(value.as_bytes()), Code::Unknown, "{value}");
        }
    }
}
