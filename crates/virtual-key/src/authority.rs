//! The demonstration's own attestation authority.

use std::str::FromStr;
use std::time::{Duration, SystemTime};

use crypto_glue::der::asn1::{ObjectIdentifier, OctetString};
use crypto_glue::ecdsa_p256::{EcdsaP256SigningKey, EcdsaP256VerifyingKey};
use crypto_glue::ecdsa_p384::{EcdsaP384DerSignature, EcdsaP384SigningKey, EcdsaP384VerifyingKey};
use crypto_glue::traits::{EncodeDer, EncodePem, Generate, ToExtension};
use crypto_glue::x509::profile::BuilderProfile;
use crypto_glue::x509::profile::cabf::Root;
use crypto_glue::x509::{
    BasicConstraints, Builder, CertBuilderError, Certificate, CertificateBuilder, Extension, Name,
    SubjectPublicKeyInfoOwned, SubjectPublicKeyInfoRef, TbsCertificate, Time, Validity,
    uuid_to_serial,
};
use uuid::Uuid;

use crate::AAGUID;
use crate::error::RingError;

/// Ten years: a ring that somebody keeps must go on working.
const VALID_FOR: Duration = Duration::from_secs(10 * 365 * 24 * 3600);
/// Certificates are valid from a little before now, for clocks that differ.
const CLOCK_SKEW: Duration = Duration::from_secs(60);
/// `id-fido-gen-ce-aaguid`. Source: WebAuthn Level 3 §8.2.1.
const AAGUID_EXTENSION: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.4.1.45724.1.1.4");

/// A root that vouches for demonstration keys. Its private key is never written anywhere: a ring's
/// root vouches for the keys it was made with and no others.
pub struct DemonstrationAuthority {
    key: EcdsaP384SigningKey,
    certificate: Certificate,
}

impl std::fmt::Debug for DemonstrationAuthority {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("DemonstrationAuthority")
    }
}

/// What a firmware attests with.
pub(crate) struct Identity {
    /// The leaf certificate, DER.
    pub(crate) certificate: Vec<u8>,
    /// The leaf's private key in the firmware's own key-file form.
    pub(crate) key_file: Vec<u8>,
}

/// A leaf that carries the AAGUID.
struct Leaf {
    subject: Name,
    issuer: Name,
}

impl BuilderProfile for Leaf {
    fn get_issuer(&self, _: &Name) -> Name {
        self.issuer.clone()
    }
    fn get_subject(&self) -> Name {
        self.subject.clone()
    }
    fn build_extensions(
        &self,
        _: SubjectPublicKeyInfoRef<'_>,
        _: SubjectPublicKeyInfoRef<'_>,
        tbs: &TbsCertificate,
    ) -> Result<Vec<Extension>, CertBuilderError> {
        // An OCTET STRING of 16 bytes inside the extension's own.
        let mut aaguid = vec![0x04, 0x10];
        aaguid.extend(AAGUID);
        Ok(vec![
            BasicConstraints {
                ca: false,
                path_len_constraint: None,
            }
            .to_extension(tbs.subject(), &[])?,
            Extension {
                extn_id: AAGUID_EXTENSION,
                critical: false,
                extn_value: OctetString::new(aaguid)?,
            },
        ])
    }
}

fn failed(error: impl std::fmt::Debug) -> RingError {
    RingError::Authority(format!("{error:?}"))
}

fn validity() -> Result<Validity, RingError> {
    let now = SystemTime::now();
    let from = Time::try_from(now - CLOCK_SKEW).map_err(failed)?;
    Ok(Validity::new(
        from,
        Time::try_from(now + VALID_FOR).map_err(failed)?,
    ))
}

impl DemonstrationAuthority {
    /// A new root of its own.
    ///
    /// # Errors
    /// [`RingError::Authority`].
    pub fn new() -> Result<Self, RingError> {
        let key = EcdsaP384SigningKey::generate();
        let public = SubjectPublicKeyInfoOwned::from_key(&EcdsaP384VerifyingKey::from(&key))
            .map_err(failed)?;
        let name = Name::from_str("CN=Demonstration key root,O=Countersign demonstration,C=DE")
            .map_err(failed)?;
        let profile = Root::new(false, name).map_err(failed)?;
        let certificate =
            CertificateBuilder::new(profile, uuid_to_serial(Uuid::new_v4()), validity()?, public)
                .map_err(failed)?
                .build::<_, EcdsaP384DerSignature>(&key)
                .map_err(failed)?;
        Ok(Self { key, certificate })
    }

    /// The root certificate, PEM.
    ///
    /// # Errors
    /// [`RingError::Authority`].
    pub fn root_pem(&self) -> Result<Vec<u8>, RingError> {
        Ok(self
            .certificate
            .to_pem(Default::default())
            .map_err(failed)?
            .into_bytes())
    }

    /// What the key `name` attests with.
    pub(crate) fn identity(&self, name: &str) -> Result<Identity, RingError> {
        let key = EcdsaP256SigningKey::generate();
        let public = SubjectPublicKeyInfoOwned::from_key(&EcdsaP256VerifyingKey::from(&key))
            .map_err(failed)?;
        // Source of the subject's form: WebAuthn Level 3 §8.2.1.
        let subject =
            format!("C=DE,O=Countersign demonstration,CN={name},OU=Authenticator Attestation");
        let profile = Leaf {
            subject: Name::from_str(&subject).map_err(failed)?,
            issuer: self.certificate.tbs_certificate().subject().clone(),
        };
        let certificate =
            CertificateBuilder::new(profile, uuid_to_serial(Uuid::new_v4()), validity()?, public)
                .map_err(failed)?
                .build::<_, EcdsaP384DerSignature>(&self.key)
                .map_err(failed)?
                .to_der()
                .map_err(failed)?;
        // Trussed key file: flags `sensitive`, kind P-256, the scalar.
        let mut key_file = vec![0x00, 0x02, 0x00, 0x05];
        key_file.extend_from_slice(&key.to_bytes());
        Ok(Identity {
            certificate,
            key_file,
        })
    }
}
