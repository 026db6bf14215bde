// What the files say about who may enter each listener and what he may do there, read as a whole and never
// changed: a reload makes another one. Any thread.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "auth/access_rules.h"
#include "auth/password_file.h"
#include "base/result.h"

namespace nightjar::auth {

// Whom a certificate, or a pre-shared key, stands for.
enum class UserFrom : std::uint8_t { kNone, kCommonName, kSubject, kDnsName, kEmailName, kFingerprint };

// What one listener asks of its clients, as the configuration says it.
struct AccessSettings {
  std::string listener;
  std::string password_file;   // empty: none
  std::string password_place;  // where the configuration names it, for errors: "nightjar.toml:7:1: "
  std::string acl_file;        // empty: none. Nightjar's own if its name ends in .toml, else Mosquitto's
  std::string acl_place;
  std::string dynamic_security;    // Mosquitto's file of that plugin, in place of both; empty: none
  bool is_mosquitto = false;       // decides about names as Mosquitto does
  bool has_mosquitto_acl = false;  // the acl_file is Mosquitto's, whatever its name
  // Somebody who is not here knows the users: without a file that proves it, no name lets anybody in.
  bool refuses_unproved_names = false;
  UserFrom user_from = UserFrom::kNone;
  bool allows_anonymous = true;
  bool requires_certificate = false;  // of everybody, whatever else he shows
};

struct ListenerAccess {
  AccessSettings settings;
  std::shared_ptr<const PasswordTable> passwords;  // null: none
  std::shared_ptr<const AccessRules> rules;        // null: everybody may do everything
};

// A file that was read.
struct AccessFile {
  std::string path;
  std::string holds;  // "3 users", "12 rules"
  std::array<unsigned char, 32> digest{};
  std::shared_ptr<const PasswordTable> passwords;  // null: it holds rules
};

class Access {
 public:
  // Reads all files, each of them once. The first one stands in for listeners that are not among them.
  static Result<std::shared_ptr<const Access>> load(const std::vector<AccessSettings>& listeners);

  [[nodiscard]] const ListenerAccess& of(std::string_view listener) const {
    for (const ListenerAccess& each : listeners_) {
      if (each.settings.listener == listener) return each;
    }
    return listeners_.front();
  }
  [[nodiscard]] const std::vector<ListenerAccess>& listeners() const { return listeners_; }
  // Some listener has rules.
  [[nodiscard]] bool has_rules() const { return has_rules_; }
  [[nodiscard]] const std::vector<AccessFile>& files() const { return files_; }
  // "3 users in /etc/nightjar/passwords", one for each file.
  [[nodiscard]] std::vector<std::string> summary() const;

 private:
  std::vector<ListenerAccess> listeners_;
  std::vector<AccessFile> files_;
  bool has_rules_ = false;
};

// The Access that counts now. Workers look at it without a lock: what they got is good until their turn ends.
class AccessInForce {
 public:
  explicit AccessInForce(std::shared_ptr<const Access> first)
      : owner_(std::move(first)), now_(owner_.get()) {}

  [[nodiscard]] const Access& now() const { return *now_.load(std::memory_order_acquire); }
  // By the thread that replaces it.
  [[nodiscard]] const std::shared_ptr<const Access>& owner() const { return owner_; }
  // By one thread at a time. The caller keeps what was in force before until every worker has begun another
  // turn.
  [[nodiscard]] std::shared_ptr<const Access> replace(std::shared_ptr<const Access> next) {
    now_.store(next.get(), std::memory_order_release);
    owner_.swap(next);
    return next;
  }

 private:
  std::shared_ptr<const Access> owner_;
  std::atomic<const Access*> now_;
};

// Why a client may be here no longer.
enum class Loss : std::uint8_t {
  kNone,
  kUser,      // its user is there no more, or has another password
  kAnonymous  // nobody may enter there without proof of who he is
};
// Of a client that got in as `before` says, once `now` counts and its listener is called `listener_now`.
// Whoever came by a certificate or key stays: TLS looks after those.
Loss lost_access(const Access& before, const Access& now, const broker::ClientIdentity& who,
                 std::string_view listener_now, const broker::PeerProof* proof);

// The rules of a listener as they stand in its file.
Result<WrittenRules> written_rules(const AccessSettings& settings);

// A file that both have read and that says something else now.
struct AccessFileChange {
  std::string path;
  std::string from;  // "3 users"
  std::string to;    // "4 users: 2 new, 1 gone, 0 with another password"
};
std::vector<AccessFileChange> file_changes(const Access& before, const Access& now);

}  // namespace nightjar::auth
