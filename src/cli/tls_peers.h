// Looks after clients that are in by a certificate: those whose certificate has been revoked since go, and
// one whose certificate has expired since is mentioned once. Asks the workers, a part of their connections at
// a time. Used by the main thread.
#pragma once

#include <memory>
#include <string>
#include <unordered_set>
#include <vector>

#include "base/clock.h"
#include "cli/tls_listeners.h"
#include "net/mail_room.h"

namespace nightjar::cli {

class TlsPeers {
 public:
  // A client may connect while a list is being read, so one look after the list has changed is not enough.
  static constexpr Duration kInterval = Duration::seconds(20);

  explicit TlsPeers(net::MailRoom& mail) : mail_(mail) {}

  // Looks if something is due, now that the listeners serve `snapshots`.
  void look(TlsListeners::Snapshots snapshots, MonoTime now);

 private:
  void look_at_all();

  net::MailRoom& mail_;
  std::shared_ptr<const TlsListeners::Snapshots> snapshots_;
  MonoTime next_{};
  std::unordered_set<std::string> warned_;  // fingerprints
};

}  // namespace nightjar::cli
