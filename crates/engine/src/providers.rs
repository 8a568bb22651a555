//! The providers of models that the builtin agent of this plane asks, as its machine has them now (S85, S100).

use agents::provider::{check, configuration_in, key_of};
use model::{
    code::Code,
    problem::Problem,
    provider::{Configuration, Overview, ProviderCheck},
};

use crate::Engine;

impl Engine {
    /// Which there are, whether each has its key, and what models cost. The file and the keys are read anew.
    ///
    /// # Errors
    /// 422 when `providers.toml` of the data folder cannot be used.
    pub fn providers(&self) -> Result<Overview, Problem> {
        let environment = exec::environment::inherited();
        Ok(Overview::of(&self.declared_providers()?, |provider| key_of(provider, &environment).is_ok()))
    }

    /// Asks a provider for its list of models: its address and its key are tried, and it costs nothing.
    ///
    /// # Errors
    /// 404 when there is none of this name; 422 as above.
    pub async fn check_provider(&self, name: &str) -> Result<ProviderCheck, Problem> {
        let configuration = self.declared_providers()?;
        let provider = configuration.provider(name).ok_or_else(Problem::not_found)?;
        Ok(check(provider, &exec::environment::inherited()).await)
    }

    fn declared_providers(&self) -> Result<Configuration, Problem> {
        configuration_in(self.data().root()).map_err(|error| {
            Problem::new(Code::Invalid, error.to_string()).with_hint("docs/providers.md shows what may stand in it")
        })
    }
}
