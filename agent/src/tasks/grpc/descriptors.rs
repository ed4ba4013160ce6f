//! What the services, methods and messages of a target are: from proto text, from a set of descriptors, or from files that
//! a server handed out. Where these come from is the business of others.

use std::path::{Path, PathBuf};

use iter8_core::suggest::nearest;
use iter8_core::task::grpc::split_call;
use prost_reflect::{DescriptorPool, MethodDescriptor};
use protox::Compiler;
use protox::file::{ChainFileResolver, File, FileResolver, GoogleFileResolver, IncludeFileResolver};

use crate::tasks::call_template::MethodNames;

/// A proto file and where the files that it imports are looked for.
pub(super) struct ProtoText {
    /// The file's name, without directories.
    pub(super) name: String,
    /// Its text.
    pub(super) text: String,
    /// Directories, in order.
    pub(super) import_paths: Vec<PathBuf>,
}

/// Why there is no method to call.
#[derive(Debug, thiserror::Error)]
pub(super) enum DescriptorError {
    /// Not proto text, or an import is missing.
    #[error("{0}")]
    Proto(String),
    /// Not a set of descriptors.
    #[error("is not a set of descriptors, as protoc --include_imports --descriptor_set_out makes one: {0}")]
    Set(String),
    /// A call is no name of a method.
    #[error("{0}")]
    Form(String),
    /// There is no such service.
    #[error("names the service `{service}`, which {place} does not have; {hint}")]
    Service { service: String, place: String, hint: String },
    /// There is no such method.
    #[error("names the method `{method}`, which the service `{service}` does not have; {hint}")]
    Method { method: String, service: String, hint: String },
}

/// One file that is already in memory.
struct InMemory {
    name: String,
    text: String,
}

impl FileResolver for InMemory {
    fn open_file(&self, name: &str) -> Result<File, protox::Error> {
        if name == self.name { File::from_source(name, &self.text) } else { Err(protox::Error::file_not_found(name)) }
    }
}

/// Compiles proto text with everything that it imports; the files of google/protobuf are always there.
pub(super) fn of_proto(proto: ProtoText) -> Result<DescriptorPool, DescriptorError> {
    let mut files = ChainFileResolver::new();
    let paths: Vec<String> = proto.import_paths.iter().map(|path| path.display().to_string()).collect();
    let name = proto.name;
    files.add(InMemory { name: name.clone(), text: proto.text });
    proto.import_paths.into_iter().for_each(|path| files.add(IncludeFileResolver::new(path)));
    files.add(GoogleFileResolver::new());
    let mut compiler = Compiler::with_file_resolver(files);
    compiler.include_imports(true);
    match compiler.open_file(&name) {
        Ok(compiler) => Ok(compiler.descriptor_pool()),
        Err(error) => {
            let hint = match error.is_file_not_found() {
                true if paths.is_empty() => "; name the directories of what it imports in import-paths".to_owned(),
                true => format!("; looked for in {}: name its directory in import-paths", paths.join(", ")),
                false => String::new(),
            };
            // The text begins with file, line and column, unless it is about an import.
            let text = format!("{error:?}");
            let text = if text.starts_with(&name) { text } else { format!("{name}: {error}") };
            Err(DescriptorError::Proto(text + &hint))
        }
    }
}

/// Directories to look for imports in: the proto file's own, the working directory, and those that are named.
pub(super) fn import_paths(proto: Option<&Path>, named: &[String]) -> Vec<PathBuf> {
    let own = proto.and_then(Path::parent).filter(|parent| !parent.as_os_str().is_empty()).map(Path::to_owned);
    let named = named.iter().map(PathBuf::from);
    own.into_iter().chain([PathBuf::from(".")]).chain(named).collect()
}

/// Reads a `FileDescriptorSet`.
pub(super) fn of_set(bytes: &[u8]) -> Result<DescriptorPool, DescriptorError> {
    let mut pool = DescriptorPool::new();
    if pool.decode_file_descriptor_set(bytes).is_ok() {
        return Ok(pool);
    }
    // A set may lack the files of google/protobuf, which everyone has.
    let mut pool = DescriptorPool::global();
    pool.decode_file_descriptor_set(bytes).map_err(|error| DescriptorError::Set(error.to_string()))?;
    Ok(pool)
}

/// Finds the method that a call names; `place` says where it was looked for.
pub(super) fn method(pool: &DescriptorPool, call: &str, place: &str) -> Result<MethodDescriptor, DescriptorError> {
    let (service_name, method_name) = split_call(call).map_err(DescriptorError::Form)?;
    let Some(service) = pool.get_service_by_name(service_name) else {
        let known: Vec<String> = pool.services().map(|service| service.full_name().to_owned()).collect();
        return Err(no_service(service_name, place, &known));
    };
    service.methods().find(|method| method.name() == method_name).ok_or_else(|| {
        let known: Vec<String> = service.methods().map(|method| method.name().to_owned()).collect();
        DescriptorError::Method {
            method: method_name.to_owned(),
            service: service_name.to_owned(),
            hint: hint(method_name, &known),
        }
    })
}

/// A service that is not there, with those that are.
pub(super) fn no_service(service: &str, place: &str, known: &[String]) -> DescriptorError {
    DescriptorError::Service { service: service.to_owned(), place: place.to_owned(), hint: hint(service, known) }
}

fn hint(name: &str, known: &[String]) -> String {
    /// More do not fit into a sentence.
    const MOST: usize = 12;
    match nearest(name, known.iter().map(String::as_str)) {
        Some(meant) => format!("did you mean `{meant}`?"),
        None if known.is_empty() => "there is none".to_owned(),
        None => {
            let more = if known.len() > MOST { " and more" } else { "" };
            format!("known are {}{more}", known.iter().take(MOST).cloned().collect::<Vec<_>>().join(", "))
        }
    }
}

/// The names that templates know.
pub(super) fn names(method: &MethodDescriptor) -> MethodNames {
    MethodNames {
        fully_qualified: method.full_name().to_owned(),
        method: method.name().to_owned(),
        service: method.parent_service().name().to_owned(),
        input: method.input().name().to_owned(),
        output: method.output().name().to_owned(),
        client_streaming: method.is_client_streaming(),
        server_streaming: method.is_server_streaming(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PROTO: &str = "syntax = \"proto3\"; package shop; import \"google/protobuf/timestamp.proto\";
        message Order { string item = 1; google.protobuf.Timestamp at = 2; } message Receipt {}
        service Orders { rpc Place (Order) returns (Receipt); rpc Follow (stream Order) returns (stream Receipt); }";

    fn compiled(text: &str, import_paths: Vec<PathBuf>) -> Result<DescriptorPool, String> {
        let proto = ProtoText { name: "shop.proto".into(), text: text.into(), import_paths };
        of_proto(proto).map_err(|error| error.to_string())
    }

    #[test]
    fn a_method_is_found_in_both_spellings() {
        let pool = compiled(PROTO, vec![]).unwrap();
        for call in ["shop.Orders.Place", "shop.Orders/Place", "/shop.Orders/Place", " shop.Orders.Place "] {
            assert_eq!(method(&pool, call, "it").unwrap().full_name(), "shop.Orders.Place", "{call}");
        }
        let follow = names(&method(&pool, "shop.Orders/Follow", "it").unwrap());
        assert!(follow.client_streaming && follow.server_streaming);
        assert_eq!((follow.service.as_str(), follow.input.as_str()), ("Orders", "Order"));
    }

    #[test]
    fn wrong_names_come_with_those_that_are_right() {
        let pool = compiled(PROTO, vec![]).unwrap();
        for (call, message) in [
            (
                "shop.Order.Place",
                "names the service `shop.Order`, which shop.proto does not have; did you mean `shop.Orders`?",
            ),
            ("x.Y/Z", "names the service `x.Y`, which shop.proto does not have; known are shop.Orders"),
            (
                "shop.Orders/Plaice",
                "names the method `Plaice`, which the service `shop.Orders` does not have; did you mean `Place`?",
            ),
            (
                "shop.Orders/Cancel",
                "names the method `Cancel`, which the service `shop.Orders` does not have; known are Place, Follow",
            ),
            ("Place", "must be package.Service.Method or package.Service/Method, got `Place`"),
            ("shop.Orders/", "must be package.Service.Method or package.Service/Method, got `shop.Orders/`"),
            ("shop Orders.Place", "must be package.Service.Method or package.Service/Method, got `shop Orders.Place`"),
        ] {
            assert_eq!(method(&pool, call, "shop.proto").unwrap_err().to_string(), message, "{call}");
        }
    }

    #[test]
    fn imports_are_looked_for_in_the_import_paths() {
        let directory = tempfile::tempdir().unwrap();
        std::fs::create_dir(directory.path().join("common")).unwrap();
        let common = "syntax = \"proto3\"; package common; message Money { int64 cents = 1; }";
        std::fs::write(directory.path().join("common/money.proto"), common).unwrap();
        let text = "syntax = \"proto3\"; package shop; import \"common/money.proto\";
            message Order { common.Money price = 1; } service Orders { rpc Place (Order) returns (Order); }";
        let paths = import_paths(Some(&directory.path().join("shop.proto")), &[]);
        let pool = compiled(text, paths).unwrap();
        assert!(pool.get_message_by_name("common.Money").is_some());
        let error = compiled(text, vec![PathBuf::from("/nowhere")]).unwrap_err();
        assert!(error.contains("common/money.proto") && error.contains("looked for in /nowhere"), "{error}");
    }

    #[test]
    fn errors_of_proto_text_have_their_line() {
        let error = compiled("syntax = \"proto3\";\nmessage Order { string 5 = item; }", vec![]).unwrap_err();
        assert!(error.starts_with("shop.proto:2:"), "{error}");
        let error = compiled("syntax = \"proto3\";\nmessage Order { Money price = 1; }", vec![]).unwrap_err();
        assert!(error.starts_with("shop.proto:2:") && error.contains("Money"), "{error}");
    }

    #[test]
    fn what_is_no_set_of_descriptors_is_refused() {
        assert!(of_set(b"syntax = \"proto3\";").is_err());
        let pool = compiled(PROTO, vec![]).unwrap();
        let again = of_set(&pool.encode_to_vec()).unwrap();
        assert!(method(&again, "shop.Orders.Place", "it").is_ok());
    }
}
