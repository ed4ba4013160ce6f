//! The agent's binary against an in-memory API server: what it stores, when, and what it makes of everything that goes
//! wrong. What the load generator measures exactly and how objectives are judged is tested in their crates.

mod abn;
mod autox;
mod commands;
mod conditions;
mod custommetrics;
mod end;
mod endpoints;
mod fetch;
mod grpc;
mod harness;
mod loops;
mod notify;
mod pace;
mod privacy;
mod providers;
mod ready;
mod run;
mod search;
mod storage;
mod target;
mod tls;
mod trust;
mod versions;
