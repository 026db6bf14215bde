#include "cli/tls_listeners.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/log.h"
#include "config/load.h"

namespace nightjar::cli {
namespace {

net::TlsProtocolVersion version_of(config::TlsVersion version) {
  return version == config::TlsVersion::kTls13 ? net::TlsProtocolVersion::kTls13
                                               : net::TlsProtocolVersion::kTls12;
}

net::TlsClientCertificate demand_of(config::ClientCertificate demand) {
  switch (demand) {
    case config::ClientCertificate::kNone:
      return net::TlsClientCertificate::kNone;
    case config::ClientCertificate::kOptional:
      return net::TlsClientCertificate::kOptional;
    case config::ClientCertificate::kRequired:
      break;
  }
  return net::TlsClientCertificate::kRequired;
}

std::vector<std::string> files_of(const net::TlsSettings& settings) {
  std::vector<std::string> files;
  for (const net::TlsCertificateFiles& pair : settings.certificates) {
    files.push_back(pair.certificate);
    files.push_back(pair.key);
  }
  for (const std::string& file :
       {settings.dh_params, settings.client_ca, settings.client_ca_dir, settings.crl, settings.psk_file}) {
    if (!file.empty()) files.push_back(file);
  }
  return files;
}

void log_warnings(const net::TlsContext& context) {
  for (const std::string& warning : context.current()->warnings()) {
    log::warn("TLS: " + warning, {{"listener", context.settings().listener}});
  }
}

}  // namespace

std::string explain(const config::Config& config, const config::ListenerConfig& listener,
                    const net::TlsError& error) {
  std::string label = listener.label + ".tls";
  const bool is_first = error.pair == 0 || listener.tls.files.certificate.empty();
  if (!is_first) label += error.pair == 1 ? ".more" : fmt::format(".more.{}", error.pair);
  const std::string place = config::said_at(config, label, error.key);
  return place.empty() ? fmt::format("listener {}: {}", listener.policy.name, error.message)
                       : place + error.message;
}

net::TlsSettings tls_settings(const config::ListenerConfig& listener) {
  const config::TlsConfig& tls = listener.tls;
  net::TlsSettings settings{.listener = listener.policy.name,
                            .min_version = version_of(tls.min_version),
                            .max_version = version_of(tls.max_version),
                            .serves_controllers = tls.profile == config::TlsProfile::kPlc,
                            .ciphers = tls.ciphers,
                            .ciphers_tls13 = tls.ciphers_tls13,
                            .dh_params = tls.dh_params,
                            .client_certificate = demand_of(tls.client_certificate),
                            .client_ca = tls.client_ca,
                            .client_ca_dir = tls.client_ca_dir,
                            .crl = tls.crl,
                            .ignores_client_dates = tls.ignores_client_dates,
                            .psk_file = tls.psk_file,
                            .psk_hint = tls.psk_hint,
                            .speaks_websocket = listener.protocol != config::Protocol::kMqtt};
  if (!tls.files.certificate.empty()) settings.certificates.push_back({tls.files.certificate, tls.files.key});
  for (const config::CertificateFiles& files : tls.more) {
    settings.certificates.push_back({files.certificate, files.key});
  }
  return settings;
}

Result<std::unique_ptr<TlsListeners>> TlsListeners::open(const config::Config& config,
                                                         net::StrangerBudget budget,
                                                         const TlsListeners* before) {
  std::unique_ptr<TlsListeners> listeners(new TlsListeners);
  if (before != nullptr) listeners->notices_ = before->notices_;
  for (const config::ListenerConfig& listener : config.listeners) {
    if (!listener.tls.is_on()) continue;
    net::TlsSettings settings = tls_settings(listener);
    FileStamps stamps = stamps_of(files_of(settings));
    const Watched* same = before == nullptr ? nullptr : before->same_as(settings, stamps, budget);
    if (same != nullptr) {
      listeners->listeners_.push_back(*same);
      continue;
    }
    auto context = net::TlsContext::open(std::move(settings), budget);
    if (!context) return fail(explain(config, listener, context.error()));
    log_warnings(**context);
    listeners->listeners_.push_back(
        {.name = listener.policy.name, .context = std::move(*context), .served = std::move(stamps)});
  }
  return listeners;
}

const TlsListeners::Watched* TlsListeners::same_as(const net::TlsSettings& settings, const FileStamps& stamps,
                                                   const net::StrangerBudget& budget) const {
  // A file that is changed within a directory does not change the directory.
  if (!settings.client_ca_dir.empty()) return nullptr;
  const auto found = std::find_if(listeners_.begin(), listeners_.end(), [&](const Watched& watched) {
    return watched.served == stamps && watched.context->settings() == settings &&
           watched.context->budget() == budget;
  });
  return found == listeners_.end() ? nullptr : &*found;
}

TlsListeners::MakeFilter TlsListeners::filter_of(const config::ListenerConfig& listener) const {
  const auto found = std::find_if(listeners_.begin(), listeners_.end(), [&](const Watched& watched) {
    return watched.name == listener.policy.name;
  });
  if (found == listeners_.end()) return {};
  return [context = found->context](const net::PeerAddress& peer) {
    return net::make_tls_filter(context, peer);
  };
}

bool TlsListeners::look_at_files() {
  bool has_changed = false;
  for (Watched& watched : listeners_) has_changed |= look_at(watched);
  return has_changed;
}

// Files that belong together are seldom written at one moment, so a pair that does not fit gets a second look
// before anybody is told.
bool TlsListeners::look_at(Watched& watched) {
  const net::TlsSettings& settings = watched.context->settings();
  FileStamps stamps = stamps_of(files_of(settings));
  if (stamps == watched.served) return false;
  const bool is_seen_before = stamps == watched.failed;
  if (is_seen_before && watched.is_told) return false;
  const auto done = watched.context->reload();
  if (done) {
    watched.served = std::move(stamps);
    watched.failed.clear();
    const auto& served = watched.context->current()->certificates();
    log::info("TLS: files have changed and are served now",
              {{"listener", watched.name}, {"serial", served.empty() ? "" : served.front().serial}});
    log_warnings(*watched.context);
    return true;
  }
  watched.is_told = is_seen_before;
  watched.failed = std::move(stamps);
  if (watched.is_told) {
    log::error(
        fmt::format("TLS: files have changed, but what was read before stays: {}", done.error().message),
        {{"listener", watched.name}});
  }
  return false;
}

void TlsListeners::warn_about_expiry(std::int64_t now_s) {
  for (const ServedCertificate& served : certificates(now_s)) {
    if (served.days_left < 0) continue;  // said where it was read
    if (!notices_.is_due(served.facts.file + served.facts.serial, served.days_left)) continue;
    log::warn(
        fmt::format("TLS: the certificate in {} expires in {} days: renew it; a new file is served without a "
                    "restart",
                    served.facts.file, served.days_left),
        {{"listener", served.listener}, {"subject", served.facts.subject}});
  }
}

std::vector<ServedCertificate> TlsListeners::certificates(std::int64_t now_s) const {
  std::vector<ServedCertificate> all;
  for (const Watched& watched : listeners_) {
    for (const net::TlsCertificateFacts& facts : watched.context->current()->certificates()) {
      all.push_back(
          {.listener = watched.name, .facts = facts, .days_left = days_left(facts.valid_until_s, now_s)});
    }
  }
  return all;
}

TlsListeners::Snapshots TlsListeners::snapshots() const {
  Snapshots snapshots;
  for (const Watched& watched : listeners_) snapshots.emplace(watched.name, watched.context->current());
  return snapshots;
}

}  // namespace nightjar::cli
