//! Keys on a smart-card reader (PC/SC), contactless or not.
//!
//! Can't be had: cancelling. PC/SC has no way to interrupt a card, so a cancelled or timed-out call
//! returns while its thread keeps the reader until the card answers. The library opens a card
//! exclusively and waits 500 ms before it selects the FIDO applet.

use std::ffi::{CStr, CString};
use std::time::Duration;

use countersign_core::webauthn::{Assertion, Registration};
use futures::executor::block_on;
use pcsc::{Context, ReaderState, Scope, State};
use webauthn_authenticator_rs::error::WebauthnCError;
use webauthn_authenticator_rs::nfc::NFCCard;
use webauthn_authenticator_rs::transport::Token as _;

use crate::error::KeyError;
use crate::present::TransportProblem;
use crate::{
    Attempt, HardwareKey, Interaction, RegisterRequest, SignRequest, Transport, register_with,
    sign_with,
};

/// Keys whose own smart-card interface answers FIDO's applet selection and then nothing, or has no
/// FIDO at all; they are used over USB. The library knows the same list.
const READERS_WITHOUT_FIDO: [&str; 3] = ["Nitrokey", "SoloKey", "YubiKey"];

/// A FIDO key on a reader.
#[derive(Debug)]
struct NfcKey {
    reader: CString,
    id: String,
    label: String,
}

impl HardwareKey for NfcKey {
    fn id(&self) -> &str {
        &self.id
    }
    fn label(&self) -> &str {
        &self.label
    }
    fn demonstration(&self) -> bool {
        false
    }
    fn register(
        &self,
        request: &RegisterRequest,
        interaction: &dyn Interaction,
    ) -> Result<Registration, KeyError> {
        let reader = self.reader.clone();
        register_with(move |_: &Attempt| open(&reader), request, interaction)
    }
    fn sign(
        &self,
        request: &SignRequest,
        interaction: &dyn Interaction,
    ) -> Result<Assertion, KeyError> {
        let reader = self.reader.clone();
        sign_with(move |_: &Attempt| open(&reader), request, interaction)
    }
}

/// Connects to the card on `reader`.
fn open(reader: &CStr) -> Result<NFCCard, KeyError> {
    let context = Context::establish(Scope::User).map_err(KeyError::of_reader)?;
    let [state] = states(&context, [ReaderState::new(reader, State::UNAWARE)])?;
    if !state.event_state().contains(State::PRESENT) {
        return Err(KeyError::Removed);
    }
    NFCCard::new(&context, reader, state.atr()).map_err(|error| KeyError::of(&error, None))
}

/// The current states of readers of which nothing is known yet, which PC/SC tells at once.
fn states<States: AsMut<[ReaderState]>>(
    context: &Context,
    mut of: States,
) -> Result<States, KeyError> {
    context
        .get_status_change(Duration::from_secs(1), of.as_mut())
        .map_err(KeyError::of_reader)?;
    Ok(of)
}

/// The FIDO keys on readers now. Runs inside a tokio runtime.
pub(crate) fn present(
    keys: &mut Vec<Box<dyn HardwareKey>>,
    problems: &mut Vec<TransportProblem>,
) -> Result<(), KeyError> {
    let context = match Context::establish(Scope::User) {
        Ok(context) => context,
        Err(pcsc::Error::NoService) => {
            problems.push(TransportProblem {
                transport: Transport::Nfc,
                reason: "the smart-card service is not running; to use a key on a reader, install and start \
                         `pcscd`"
                    .to_owned(),
            });
            return Ok(());
        }
        Err(error) => return Err(KeyError::of_reader(error)),
    };
    let readers = context.list_readers_owned().map_err(KeyError::of_reader)?;
    if readers.is_empty() {
        return Ok(());
    }
    let unknown: Vec<_> = readers
        .into_iter()
        .map(|r| ReaderState::new(r, State::UNAWARE))
        .collect();
    for state in states(&context, unknown)? {
        let reader = state.name();
        let name = reader.to_string_lossy();
        let without_fido = READERS_WITHOUT_FIDO.iter().any(|r| name.contains(r));
        if without_fido || !state.event_state().contains(State::PRESENT) {
            continue;
        }
        let selected =
            NFCCard::new(&context, reader, state.atr()).and_then(|mut card| block_on(card.init()));
        match selected {
            Ok(()) => keys.push(Box::new(NfcKey {
                reader: reader.to_owned(),
                id: format!("nfc:{name}"),
                label: format!("security key on {name}"),
            })),
            // A card of another kind.
            Err(WebauthnCError::NotSupported | WebauthnCError::StorageCard) => {}
            Err(error) => problems.push(TransportProblem {
                transport: Transport::Nfc,
                reason: format!("the card on `{name}`: {}", KeyError::of(&error, None)),
            }),
        }
    }
    Ok(())
}
