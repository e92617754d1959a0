//! Cedar's side: an envelope's schema and policies as Cedar reads them, and a request as it is asked.

use std::collections::{BTreeSet, HashMap, HashSet};

use cedar_policy::{
    Authorizer, Context, Decision, Entities, Entity, EntityId, EntityTypeName, EntityUid,
    PolicySet, Request, RestrictedExpression, Schema, ValidationMode, Validator,
};
use countersign_core::envelope::Envelope;
use countersign_core::envelope::cedar;
use serde_json::Value;

/// An envelope as Cedar knows it.
pub struct Peer {
    /// Its schema.
    pub schema: Schema,
    /// Its policies.
    pub policies: PolicySet,
    authorizer: Authorizer,
}

/// A request that the schema admitted.
pub struct Asked {
    request: Request,
    entities: Entities,
}

/// What Cedar said.
#[derive(Debug)]
pub struct Said {
    /// Whether it allows.
    pub allowed: bool,
    /// The rules that allow it, where it does.
    pub rules: BTreeSet<String>,
    /// The clauses that forbid it, where some do.
    pub clauses: BTreeSet<String>,
}

impl Peer {
    /// Exports an envelope and has Cedar read it, and validate the policies strictly against the schema.
    ///
    /// # Panics
    /// Where Cedar takes offence at anything: that is what the tests are there to find.
    pub fn new(envelope: &Envelope) -> Self {
        let (schema, policies) = (cedar::schema(envelope), cedar::policies(envelope));
        let (read, warnings) = Schema::from_cedarschema_str(&schema)
            .unwrap_or_else(|error| panic!("the schema is refused: {error:?}\n{schema}"));
        let warnings: Vec<String> = warnings.map(|warning| warning.to_string()).collect();
        assert!(warnings.is_empty(), "{warnings:?}\n{schema}");
        let set: PolicySet = policies
            .parse()
            .unwrap_or_else(|error| panic!("the policies are refused: {error:?}\n{policies}"));
        let validation = Validator::new(read.clone()).validate(&set, ValidationMode::Strict);
        let errors: Vec<String> = validation
            .validation_errors()
            .map(ToString::to_string)
            .collect();
        assert!(errors.is_empty(), "{errors:#?}\n{schema}\n{policies}");
        Self {
            schema: read,
            policies: set,
            authorizer: Authorizer::new(),
        }
    }

    /// The same without the policies that forbid: every `permit` repeats what they say.
    pub fn permits_alone(&self) -> Self {
        let permits = self
            .policies
            .policies()
            .filter(|policy| policy.effect() == cedar_policy::Effect::Permit)
            .cloned();
        Self {
            schema: self.schema.clone(),
            policies: PolicySet::from_policies(permits).expect("they were a set before"),
            authorizer: Authorizer::new(),
        }
    }

    /// A request as Cedar holds it, checked against the schema.
    ///
    /// # Panics
    /// Where the schema does not admit it.
    pub fn read(&self, request: &cedar::Request) -> Asked {
        self.read_as(request, request.context(), Some(&self.schema))
    }

    /// The same, unchecked: checking costs several times as much as deciding.
    pub fn read_unchecked(&self, request: &cedar::Request) -> Asked {
        self.read_as(request, request.context(), None)
    }

    /// The same with another context, checked or not.
    ///
    /// # Panics
    /// Where the schema does not admit it.
    pub fn read_as(
        &self,
        request: &cedar::Request,
        context: Value,
        schema: Option<&Schema>,
    ) -> Asked {
        let resource = uid("Scope", "proposal");
        let attributes: HashMap<String, RestrictedExpression> =
            members(request.resource()).collect();
        let entity = Entity::new(resource.clone(), attributes, HashSet::new())
            .expect("attributes are literals");
        let asked = Request::new(
            uid("Agent", request.agent.as_str()),
            uid("Action", request.action.as_str()),
            resource,
            Context::from_pairs(members(context)).expect("members have names of their own"),
            schema,
        );
        Asked {
            request: asked.unwrap_or_else(|error| panic!("the request is refused: {error}")),
            entities: Entities::from_entities([entity], schema)
                .unwrap_or_else(|error| panic!("the resource is refused: {error:?}")),
        }
    }

    /// Cedar's decision alone, for measuring.
    pub fn decide(&self, asked: &Asked) -> bool {
        let response =
            self.authorizer
                .is_authorized(&asked.request, &self.policies, &asked.entities);
        response.decision() == Decision::Allow
    }

    /// Cedar's decision with its reasons, or the policies that erred: Cedar skips those, so that its
    /// decision is then worth nothing.
    ///
    /// # Errors
    /// Every error of every policy.
    pub fn ask(&self, asked: &Asked) -> Result<Said, Vec<String>> {
        let response =
            self.authorizer
                .is_authorized(&asked.request, &self.policies, &asked.entities);
        let errors: Vec<String> = response
            .diagnostics()
            .errors()
            .map(ToString::to_string)
            .collect();
        if !errors.is_empty() {
            return Err(errors);
        }
        let named = |name: &str| {
            response
                .diagnostics()
                .reason()
                .filter_map(|id| self.policies.annotation(id, name))
                .map(str::to_owned)
                .collect()
        };
        Ok(Said {
            allowed: response.decision() == Decision::Allow,
            rules: named("rule"),
            clauses: named("clause"),
        })
    }
}

fn uid(kind: &str, id: &str) -> EntityUid {
    let name: EntityTypeName = format!("{}::{kind}", cedar::NAMESPACE)
        .parse()
        .expect("a name of ours");
    EntityUid::from_type_name_and_id(name, EntityId::new(id))
}

fn members(record: Value) -> impl Iterator<Item = (String, RestrictedExpression)> {
    let Value::Object(members) = record else {
        panic!("not a record: {record}");
    };
    members
        .into_iter()
        .map(|(name, value)| (name, expression(value)))
}

/// Cedar's JSON form without its escapes, of which a request has none.
fn expression(value: Value) -> RestrictedExpression {
    match value {
        Value::Bool(value) => RestrictedExpression::new_bool(value),
        Value::Number(value) => {
            RestrictedExpression::new_long(value.as_i64().expect("numbers are longs"))
        }
        Value::String(value) => RestrictedExpression::new_string(value),
        Value::Array(values) => RestrictedExpression::new_set(values.into_iter().map(expression)),
        record @ Value::Object(_) => RestrictedExpression::new_record(members(record))
            .expect("members have names of their own"),
        Value::Null => panic!("an absent fact is left out"),
    }
}
