use proptest::prelude::*;

use super::*;

/// RFC 6962 §2.1 read aloud: the oracle.
fn mth(leaves: &[Digest]) -> Digest {
    match leaves {
        [] => empty_root(),
        [leaf] => *leaf,
        _ => {
            let mut k = 1;
            while k * 2 < leaves.len() {
                k *= 2;
            }
            node_hash(&mth(&leaves[..k]), &mth(&leaves[k..]))
        }
    }
}

fn log(size: u64) -> (Vec<Digest>, Vec<Digest>) {
    let mut stored: Vec<Digest> = Vec::new();
    let mut leaves = Vec::new();
    for index in 0..size {
        let leaf = leaf_hash(format!("entry {index}").as_bytes());
        leaves.push(leaf);
        let new = stored_hashes(index, leaf, &stored).unwrap();
        for (position, hash) in new {
            assert_eq!(
                position,
                stored.len() as u64,
                "positions are dense and in order"
            );
            stored.push(hash);
        }
        assert_eq!(stored_count(index + 1), stored.len() as u64);
    }
    (leaves, stored)
}

#[test]
fn known_vectors_of_certificate_transparency() {
    // The reference leaves and roots of google/certificate-transparency's merkle_tree_test.
    let inputs = [
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    ];
    let roots = [
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
        "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
        "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
        "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
        "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
    ];
    assert_eq!(
        empty_root().to_string(),
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    );
    let mut stored: Vec<Digest> = Vec::new();
    for (index, (input, root)) in (0..).zip(inputs.iter().zip(roots)) {
        let leaf = leaf_hash(&hex::decode(input).unwrap());
        let new = stored_hashes(index, leaf, &stored).unwrap();
        stored.extend(new.into_iter().map(|(_, hash)| hash));
        assert_eq!(tree_hash(index + 1, &stored).unwrap().to_string(), root);
    }
}

#[test]
fn every_tree_and_proof_up_to_200_entries_holds_and_agrees_with_the_definition() {
    let (leaves, stored) = log(200);
    let roots: Vec<Digest> = (0..=200).map(|n| mth(&leaves[..n])).collect();
    for size in 0..=200_u64 {
        let root = roots[size as usize];
        assert_eq!(tree_hash(size, &stored).unwrap(), root);
        for index in 0..size {
            let proof = inclusion_proof(index, size, &stored).unwrap();
            verify_inclusion(leaves[index as usize], index, size, &proof, root).unwrap();
        }
        for old in 0..=size {
            let proof = consistency_proof(old, size, &stored).unwrap();
            verify_consistency(old, roots[old as usize], size, root, &proof).unwrap();
        }
    }
}

#[test]
fn the_named_positions_suffice() {
    let (_, stored) = log(130);
    let only = |positions: Vec<u64>| -> BTreeMap<u64, Digest> {
        positions
            .into_iter()
            .map(|p| (p, stored[p as usize]))
            .collect()
    };
    for size in 1..=130 {
        tree_hash(size, &only(positions_of_tree(size))).unwrap();
        stored_hashes(size - 1, empty_root(), &only(positions_to_append(size - 1))).unwrap();
        for other in [0, size / 3, size / 2, size - 1] {
            let map = only(positions_of_inclusion(other, size).unwrap());
            inclusion_proof(other, size, &map).unwrap();
            let map = only(positions_of_consistency(other, size).unwrap());
            consistency_proof(other, size, &map).unwrap();
        }
    }
    assert_eq!(
        tree_hash(3, &BTreeMap::new()),
        Err(TreeError::MissingHash { position: 3 })
    );
    assert_eq!(
        inclusion_proof(3, 3, &stored),
        Err(TreeError::OutOfRange { index: 3, size: 3 })
    );
}

proptest! {
    #[test]
    fn a_changed_inclusion_proof_is_refused(size in 1_u64..150, pick: u64, flip: u8, place: usize) {
        let (leaves, stored) = log(size);
        let index = pick % size;
        let root = tree_hash(size, &stored).unwrap();
        let leaf = leaves[index as usize];
        let proof = inclusion_proof(index, size, &stored).unwrap();
        for other in 0..size {
            prop_assert_eq!(verify_inclusion(leaf, other, size, &proof, root).is_ok(), other == index);
        }
        let mut longer = proof.clone();
        longer.push(root);
        prop_assert!(verify_inclusion(leaf, index, size, &longer, root).is_err());
        if !proof.is_empty() {
            prop_assert!(verify_inclusion(leaf, index, size, &proof[1..], root).is_err());
            let mut changed = proof.clone();
            let place = place % proof.len();
            let mut bytes = *changed[place].as_bytes();
            bytes[usize::from(flip % 32)] ^= 1 << (flip / 32);
            changed[place] = Digest::from_bytes(bytes);
            prop_assert_eq!(verify_inclusion(leaf, index, size, &changed, root), Err(ProofError::Root));
        }
    }

    #[test]
    fn a_rewritten_history_is_refused(size in 2_u64..150, pick: u64, at: u64) {
        let (_, stored) = log(size);
        let old = 1 + pick % (size - 1);
        let at = at % old;
        // The same log with one early entry replaced.
        let mut forged: Vec<Digest> = Vec::new();
        for index in 0..size {
            let text = if index == at { "forged".to_owned() } else { format!("entry {index}") };
            let new = stored_hashes(index, leaf_hash(text.as_bytes()), &forged).unwrap();
            forged.extend(new.into_iter().map(|(_, hash)| hash));
        }
        let old_root = tree_hash(old, &stored).unwrap();
        let forged_root = tree_hash(size, &forged).unwrap();
        let proof = consistency_proof(old, size, &forged).unwrap();
        prop_assert!(verify_consistency(old, old_root, size, forged_root, &proof).is_err());
        let honest = consistency_proof(old, size, &stored).unwrap();
        prop_assert!(verify_consistency(old, old_root, size, forged_root, &honest).is_err());
    }
}
