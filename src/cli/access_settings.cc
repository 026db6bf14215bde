#include "cli/access_settings.h"

#include <string>

#include "config/difference.h"
#include "config/load.h"

namespace nightjar::cli {
namespace {

auth::UserFrom user_from(config::CertificateUser user) {
  switch (user) {
    case config::CertificateUser::kNone:
      break;
    case config::CertificateUser::kCommonName:
      return auth::UserFrom::kCommonName;
    case config::CertificateUser::kSubject:
      return auth::UserFrom::kSubject;
    case config::CertificateUser::kDnsName:
      return auth::UserFrom::kDnsName;
    case config::CertificateUser::kEmailName:
      return auth::UserFrom::kEmailName;
    case config::CertificateUser::kFingerprint:
      return auth::UserFrom::kFingerprint;
  }
  return auth::UserFrom::kNone;
}

// The listener's own word if it has one, else that of [auth].
std::string said_of(const config::Config& config, const std::string& label, const std::string& key) {
  const std::string own = label.empty() ? "" : config::said_at(config, label + ".auth", key);
  return own.empty() ? config::said_at(config, "auth", key) : own;
}

auth::AccessSettings settings_of(const config::Config& config, const config::AuthConfig& files,
                                 const std::string& label) {
  return {.password_file = files.password_file,
          .password_place = said_of(config, label, "password_file"),
          .acl_file = files.acl_file,
          .acl_place = said_of(config, label, "acl_file"),
          .dynamic_security = files.dynamic_security,
          .is_mosquitto = files.is_mosquitto,
          .has_mosquitto_acl = files.has_mosquitto_acl,
          .refuses_unproved_names = files.refuses_unproved_names};
}

}  // namespace

std::vector<auth::AccessSettings> access_settings(const config::Config& config) {
  std::vector<auth::AccessSettings> all{settings_of(config, config.auth, "")};
  all.front().allows_anonymous = false;
  for (const config::ListenerConfig& listener : config.listeners) {
    auth::AccessSettings settings = settings_of(config, listener.auth, listener.label);
    settings.listener = config::name_of(listener);
    settings.user_from = user_from(listener.tls.user_from);
    settings.allows_anonymous = listener.policy.allow_anonymous;
    settings.requires_certificate = listener.tls.client_certificate == config::ClientCertificate::kRequired;
    all.push_back(std::move(settings));
  }
  return all;
}

}  // namespace nightjar::cli
