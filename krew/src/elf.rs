//! Reads of a program what an image must know: its machine, and that it needs no loader, which an image from scratch
//! does not have. Understands 64-bit little-endian ELF only.

/// Machines that images are made for, by their names in the OCI image specification.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Architecture {
    Amd64,
    Arm64,
}

impl Architecture {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Amd64 => "amd64",
            Self::Arm64 => "arm64",
        }
    }
}

#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("not a 64-bit Linux program")]
    NotElf,
    #[error("ELF machine {0} is neither x86_64 nor aarch64")]
    Machine(u16),
    #[error("dynamically linked, but the image has no loader and no libraries: link it statically")]
    Dynamic,
}

/// The architecture of a static program. Offsets: System V ABI, "ELF Header" and "Program Header".
pub(crate) fn inspect_static(program: &[u8]) -> Result<Architecture, Error> {
    const MAGIC_64_LITTLE: &[u8] = b"\x7fELF\x02\x01";
    const PT_INTERP: u32 = 3;
    if !program.starts_with(MAGIC_64_LITTLE) {
        return Err(Error::NotElf);
    }
    let architecture = match u16::from_le_bytes(field(program, 18)?) {
        62 => Architecture::Amd64,
        183 => Architecture::Arm64,
        other => return Err(Error::Machine(other)),
    };
    let table = usize::try_from(u64::from_le_bytes(field(program, 32)?)).map_err(|_| Error::NotElf)?;
    let entry_size = usize::from(u16::from_le_bytes(field(program, 54)?));
    let entries = usize::from(u16::from_le_bytes(field(program, 56)?));
    for entry in 0..entries {
        let offset = table.checked_add(entry * entry_size).ok_or(Error::NotElf)?;
        if u32::from_le_bytes(field(program, offset)?) == PT_INTERP {
            return Err(Error::Dynamic);
        }
    }
    Ok(architecture)
}

fn field<const N: usize>(program: &[u8], offset: usize) -> Result<[u8; N], Error> {
    program.get(offset..).and_then(|rest| rest.first_chunk()).copied().ok_or(Error::NotElf)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A header with one program header of the given type.
    fn program(machine: u16, segment: u32) -> Vec<u8> {
        let mut bytes = vec![0; 64 + 56];
        bytes[..6].copy_from_slice(b"\x7fELF\x02\x01");
        bytes[18..20].copy_from_slice(&machine.to_le_bytes());
        bytes[32..40].copy_from_slice(&64_u64.to_le_bytes());
        bytes[54..56].copy_from_slice(&56_u16.to_le_bytes());
        bytes[56..58].copy_from_slice(&1_u16.to_le_bytes());
        bytes[64..68].copy_from_slice(&segment.to_le_bytes());
        bytes
    }

    #[test]
    fn knows_both_architectures() {
        assert_eq!(inspect_static(&program(62, 1)).unwrap(), Architecture::Amd64);
        assert_eq!(inspect_static(&program(183, 1)).unwrap(), Architecture::Arm64);
    }

    #[test]
    fn refuses_a_program_that_asks_for_a_loader() {
        assert!(matches!(inspect_static(&program(62, 3)), Err(Error::Dynamic)));
    }

    #[test]
    fn refuses_other_machines_and_truncated_files() {
        assert!(matches!(inspect_static(&program(40, 1)), Err(Error::Machine(40))));
        assert!(matches!(inspect_static(&program(62, 1)[..66]), Err(Error::NotElf)));
        assert!(matches!(inspect_static(b"#!/bin/sh\n"), Err(Error::NotElf)));
    }
}
