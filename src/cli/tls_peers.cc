#include "cli/tls_peers.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "broker/control.h"
#include "cli/ask_worker.h"

namespace nightjar::cli {
namespace {

// Connections that a worker looks at before it goes on serving: well below a millisecond.
constexpr std::size_t kAtOnce = 1024;

struct Found {
  std::optional<std::size_t> next;  // nothing: that was all
  ClientCertificates counted;
  std::vector<EndingCertificate> ending;
};

void look_at_days(const broker::Peer& peer, const net::TlsSnapshot& served, std::int64_t now_s,
                  Found& found) {
  const std::int64_t left =
      served.ignores_client_dates() ? INT64_MAX : days_left(peer.proof.valid_until_s, now_s);
  found.counted.count(left);
  if (left >= ExpiryNotices::kFirstDays) return;
  found.ending.push_back({.client_id = std::string(peer.client_id),
                          .listener = std::string(peer.listener),
                          .subject = peer.proof.subject,
                          .fingerprint = peer.proof.fingerprint,
                          .days_left = left});
}

// On the worker.
Found look_at_some(broker::Worker& worker, std::size_t from, const TlsListeners::Snapshots& snapshots,
                   std::int64_t now_s) {
  Found found;
  found.next = broker::judge_peers(worker, from, kAtOnce, [&](const broker::Peer& peer) -> std::string_view {
    const auto at = snapshots.find(peer.listener);
    if (!peer.proof.has_certificate || at == snapshots.end()) return {};
    const net::TlsSnapshot& served = *at->second;
    if (served.has_crls() && served.is_revoked(peer.proof)) return "its certificate has been revoked";
    look_at_days(peer, served, now_s, found);
    return {};
  });
  return found;
}

bool asks_for_certificates(const TlsListeners::Snapshots& snapshots) {
  return std::any_of(snapshots.begin(), snapshots.end(),
                     [](const auto& each) { return each.second->asks_for_certificates(); });
}

}  // namespace

void TlsPeers::look(TlsListeners::Snapshots snapshots, const Clock& clock) {
  if (!asks_for_certificates(snapshots)) return publish(std::nullopt);
  const bool has_changed = snapshots_ == nullptr || *snapshots_ != snapshots;
  if (!has_changed && clock.now() < next_) return;
  snapshots_ = std::make_shared<const TlsListeners::Snapshots>(std::move(snapshots));
  next_ = clock.now() + kInterval;
  ClientCertificates counted;
  if (look_at_all(clock.wall_ms() / 1000, counted)) publish(counted);
  expiry_.write_log();
}

// False if a worker is overloaded: the next time will do.
bool TlsPeers::look_at_all(std::int64_t now_s, ClientCertificates& counted) {
  for (std::uint16_t i = 0; i < mail_.workers(); ++i) {
    std::optional<std::size_t> from = 0;
    do {
      auto asked = ask_worker(mail_, broker::WorkerIndex{i},
                              [from = *from, snapshots = snapshots_, now_s](broker::Worker& worker) {
                                return look_at_some(worker, from, *snapshots, now_s);
                              });
      std::optional<Found> found = asked.wait();
      if (!found) return false;
      from = found->next;
      counted += found->counted;
      for (EndingCertificate& client : found->ending) expiry_.add(std::move(client));
    } while (from);
  }
  return true;
}

void TlsPeers::publish(std::optional<ClientCertificates> counted) {
  const std::lock_guard lock(mutex_);
  clients_ = counted;
}

std::optional<ClientCertificates> TlsPeers::clients() const {
  const std::lock_guard lock(mutex_);
  return clients_;
}

}  // namespace nightjar::cli
