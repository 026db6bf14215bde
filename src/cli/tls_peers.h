// Looks after clients that are in by a certificate: those go whose certificate, or an authority that it hangs
// on, has been revoked since; those whose certificate ends soon or has expired are counted and mentioned.
// Asks the workers, a part of their connections at a time. Used by the main thread; what says "any thread" by
// others too.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>

#include "base/clock.h"
#include "cli/certificate_days.h"
#include "cli/client_expiry.h"
#include "cli/tls_listeners.h"
#include "net/mail_room.h"

namespace nightjar::cli {

class TlsPeers {
 public:
  // A client may connect while a list is being read, so one look after the list has changed is not enough.
  static constexpr Duration kInterval = Duration::seconds(20);

  explicit TlsPeers(net::MailRoom& mail) : mail_(mail) {}

  // Looks if something is due, now that the listeners serve `snapshots`.
  void look(TlsListeners::Snapshots snapshots, const Clock& clock);

  // Any thread. As it was at the last look; nothing while no listener asks for certificates.
  [[nodiscard]] std::optional<ClientCertificates> clients() const;

 private:
  bool look_at_all(std::int64_t now_s, ClientCertificates& counted);
  void publish(std::optional<ClientCertificates> counted);

  net::MailRoom& mail_;
  std::shared_ptr<const TlsListeners::Snapshots> snapshots_;
  MonoTime next_{};
  ClientExpiry expiry_;
  mutable std::mutex mutex_;
  std::optional<ClientCertificates> clients_;  // under mutex_
};

}  // namespace nightjar::cli
