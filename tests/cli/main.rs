//! The plugin as its users meet it: the real binary, in a home of its own, against an in-memory API server. Each file is
//! about one subject; `plugin` is what they share to call the binary, `agent` plays the part of the pods.

mod agent;
mod assert;
mod autox;
mod autox_offline;
mod autox_permissions;
mod autox_status;
mod bad_days;
mod bad_input;
mod check;
mod completion;
mod connection;
mod credentials;
mod delete;
mod get;
mod half_way;
mod help;
mod html;
mod launch;
mod legacy;
mod lint;
mod local;
mod log;
mod loops;
mod plugin;
mod preview;
mod render;
mod report;
mod terminal;
mod usage;
mod v0_13;
mod values;

#[test]
fn no_file_is_forgotten() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/cli");
    let main = std::fs::read_to_string(folder.join("main.rs")).unwrap();
    for entry in std::fs::read_dir(folder).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        if let Some(module) = name.strip_suffix(".rs").filter(|module| *module != "main") {
            assert!(main.contains(&format!("\nmod {module};\n")), "main.rs does not declare {name}");
        }
    }
}
