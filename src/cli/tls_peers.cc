#include "cli/tls_peers.h"

#include <fmt/format.h>

#include <algorithm>
#include <ctime>
#include <optional>
#include <utility>

#include "base/log.h"
#include "broker/control.h"
#include "cli/ask_worker.h"

namespace nightjar::cli {
namespace {

// Connections that a worker looks at before it goes on serving: well below a millisecond.
constexpr std::size_t kAtOnce = 2048;
// Fingerprints remembered; after so many a client may be mentioned again.
constexpr std::size_t kWarnedMax = 100'000;

struct Expired {
  std::string client_id;
  std::string listener;
  std::string subject;
  std::string fingerprint;
};
struct Found {
  std::optional<std::size_t> next;  // nothing: that was all
  std::vector<Expired> expired;
};

// On the worker.
Found look_at_some(broker::Worker& worker, std::size_t from, const TlsListeners::Snapshots& snapshots) {
  Found found;
  const std::int64_t now = std::time(nullptr);
  found.next = broker::judge_peers(worker, from, kAtOnce, [&](const broker::Peer& peer) -> std::string_view {
    const auto at = snapshots.find(peer.listener);
    if (!peer.proof.has_certificate || at == snapshots.end()) return {};
    const net::TlsSnapshot& served = *at->second;
    if (served.has_crls() && served.is_revoked(peer.proof.issuer, peer.proof.serial)) {
      return "its certificate has been revoked";
    }
    if (!served.ignores_client_dates() && peer.proof.valid_until_s < now) {
      found.expired.push_back({.client_id = std::string(peer.client_id),
                               .listener = std::string(peer.listener),
                               .subject = peer.proof.subject,
                               .fingerprint = peer.proof.fingerprint});
    }
    return {};
  });
  return found;
}

bool asks_for_certificates(const TlsListeners::Snapshots& snapshots) {
  return std::any_of(snapshots.begin(), snapshots.end(),
                     [](const auto& each) { return each.second->asks_for_certificates(); });
}

}  // namespace

void TlsPeers::look(TlsListeners::Snapshots snapshots, MonoTime now) {
  if (!asks_for_certificates(snapshots)) return;
  const bool has_changed = snapshots_ == nullptr || *snapshots_ != snapshots;
  if (!has_changed && now < next_) return;
  snapshots_ = std::make_shared<const TlsListeners::Snapshots>(std::move(snapshots));
  next_ = now + kInterval;
  look_at_all();
}

void TlsPeers::look_at_all() {
  std::vector<Expired> expired;
  for (std::uint16_t i = 0; i < mail_.workers(); ++i) {
    std::optional<std::size_t> from = 0;
    do {
      auto asked = ask_worker(mail_, broker::WorkerIndex{i},
                              [from = *from, snapshots = snapshots_](broker::Worker& worker) {
                                return look_at_some(worker, from, *snapshots);
                              });
      std::optional<Found> found = asked.wait();
      if (!found) return;  // it is overloaded; the next time will do
      from = found->next;
      std::move(found->expired.begin(), found->expired.end(), std::back_inserter(expired));
    } while (from);
  }
  if (warned_.size() > kWarnedMax) warned_.clear();
  for (const Expired& client : expired) {
    if (!warned_.insert(client.fingerprint).second) continue;
    log::warn("TLS: a connected client's certificate has expired; it cannot connect again with it",
              {{"client", client.client_id}, {"listener", client.listener}, {"subject", client.subject}});
  }
}

}  // namespace nightjar::cli
