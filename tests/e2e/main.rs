//! End-to-end tests: the plugin, the agent's image and a real Kubernetes. They need `ITER8_E2E_KUBECONFIG`, a cluster
//! with the images of `tests/run`, and `kubectl`; `tests/run` provides all of it.

mod autox;
mod bad_days;
mod experiment;
mod harness;
mod load;
mod loops;
mod manners;
mod metrics;
mod outages;
mod ready;
