#include "auth/certified_user.h"

namespace nightjar::auth {
namespace {

std::string first_of(const std::vector<std::string>& names) { return names.empty() ? "" : names.front(); }

std::string name_in(UserFrom from, const broker::PeerProof& proof) {
  switch (from) {
    case UserFrom::kNone:
      break;
    case UserFrom::kCommonName:
      return proof.common_name;
    case UserFrom::kSubject:
      return proof.subject;
    case UserFrom::kDnsName:
      return first_of(proof.dns_names);
    case UserFrom::kEmailName:
      return first_of(proof.email_names);
    case UserFrom::kFingerprint:
      return proof.fingerprint;
  }
  return {};
}

}  // namespace

CertifiedUser certified_user(UserFrom from, const broker::PeerProof* proof) {
  if (from == UserFrom::kNone || proof == nullptr) return {};
  // A key has one name only, whatever is asked of certificates.
  if (!proof->psk_identity.empty()) return {true, proof->psk_identity};
  if (!proof->has_certificate) return {};
  return {true, name_in(from, *proof)};
}

}  // namespace nightjar::auth
