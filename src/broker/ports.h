// The ports of the core: everything it needs from outside, implemented elsewhere and injected.
// Unless a port says otherwise its methods are called on the worker that owns the object.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/result.h"
#include "base/spare_buffers.h"
#include "broker/durable/commit.h"
#include "broker/ids.h"
#include "mqtt/packets.h"

namespace nightjar::broker {

class Connection;
class Worker;
struct MailBatch;

// Which of its issuer's certificates one is.
struct CertificateNumber {
  std::string issuer;  // its authority, as RFC 2253 writes it
  std::string serial;  // the authority's number for it, hexadecimal
  friend bool operator==(const CertificateNumber&, const CertificateNumber&) = default;
};

// What the network side knows for certain about the other end. Empty: nothing of the kind.
struct PeerProof {
  bool has_certificate = false;  // one that the listener's authorities vouch for
  std::string common_name{};
  std::string subject{};                   // as RFC 2253 writes it: "CN=pump,O=Plant"
  std::vector<std::string> dns_names{};    // subject alternative names
  std::vector<std::string> email_names{};  // the same
  std::string fingerprint{};               // SHA-256 of the certificate, lower-case hexadecimal
  CertificateNumber number{};
  std::vector<CertificateNumber> authorities{};  // between it and the root, from its issuer up
  std::int64_t valid_until_s = 0;                // seconds since 1970
  std::string psk_identity{};                    // of the pre-shared key that opened the connection
  std::optional<std::uint32_t> unix_user{};      // user id of the process at the other end of a Unix socket
};

// One network connection as the core sees it: bytes out, close, move. Bytes in arrive through
// Worker::on_bytes. Lives on one worker at a time; the Connection of the core owns it.
class Transport {
 public:
  Transport() = default;
  virtual ~Transport() = default;
  Transport(const Transport&) = delete;
  Transport& operator=(const Transport&) = delete;

  // Bytes to send. The core appends, then calls flush_later(); one flush happens at the end of the turn.
  ByteBuffer& output() {
    if (output_.capacity() == 0 && spares_ != nullptr) spares_->lend(output_);
    return output_;
  }
  // Cheap to repeat within a turn.
  void flush_later() {
    if (!is_flush_due_) is_flush_due_ = list_for_flush();
  }
  // Everything accepted from the core that the kernel has not taken yet, output() included.
  [[nodiscard]] std::size_t unsent_bytes() const { return output_.size() + transformed_bytes_; }
  // Heap memory held for output; none while there is nothing to send.
  [[nodiscard]] std::size_t output_memory_bytes() const { return output_.capacity(); }
  // Asks for one call of Worker::on_drained when unsent_bytes() has fallen to `low_water` or less.
  virtual void notify_when_drained(std::size_t low_water) = 0;

  // Stops and starts delivering bytes to the core. A paused transport does not spin.
  virtual void pause_reading() = 0;
  virtual void resume_reading() = 0;

  // Leaves the event loop of the present worker. Bytes already received inside filters stay with the
  // transport and are delivered after attach. After detach nothing more reaches the core.
  virtual void detach() = 0;
  // Joins the event loop of the worker that calls it; `owner` receives the events from now on.
  virtual void attach(Connection& owner) = 0;

  // The core is done: send what output() still holds, then close, within a bounded time.
  virtual void retire(std::unique_ptr<Transport> self) = 0;

  // "192.0.2.7:51234" for logs.
  [[nodiscard]] virtual std::string peer() const = 0;
  // Null: nothing is known. Complete once the first byte reached the core.
  [[nodiscard]] virtual const PeerProof* proof() const { return nullptr; }

 protected:
  // Puts the transport among those that the end of the turn flushes; false if it is on no worker now.
  virtual bool list_for_flush() = 0;

  ByteBuffer output_;
  SpareBuffers* spares_ = nullptr;       // of the present worker, if it has some
  std::uint32_t transformed_bytes_ = 0;  // taken from output() and not sent: encrypted, framed
  bool is_flush_due_ = false;
};

// Why a connection ended on the network side.
enum class TransportEnd : std::uint8_t {
  kPeerClosed,
  kError,
  kStreamOver  // TLS, WebSocket or the proxy's part came to its end, in good order or not
};

// Reaches the other workers (and, in a cluster, other nodes). A batch is handed over at the end of a turn;
// batches from one worker to another arrive in order.
class Peers {
 public:
  virtual ~Peers() = default;
  virtual void post(WorkerIndex from, WorkerIndex to, std::unique_ptr<MailBatch> batch) = 0;
};

// Who wants in. Views live until the callback was made or the request was cancelled.
struct AuthRequest {
  std::string_view client_id{};
  bool has_user_name = false;
  std::string_view user_name{};
  bool has_password = false;
  ByteView password{};
  std::string_view method{};  // enhanced authentication; empty without
  ByteView data{};
  std::string peer{};
  const PeerProof* proof = nullptr;
  std::string_view listener{};
  bool listener_allows_anonymous = false;
  WorkerIndex worker{};  // that asks
};

struct AuthVerdict {
  enum class Kind : std::uint8_t { kAllow, kRefuse, kContinue };
  Kind kind = Kind::kRefuse;
  mqtt::ReasonCode code = mqtt::ReasonCode::kNotAuthorized;  // when refused
  std::string reason{};                                      // for the Reason String and the log
  std::string user_name{};  // when allowed: whom rules apply to; may be empty
  std::string client_id{};  // when allowed: the effective id, if it replaces the client's
  std::string data{};       // Authentication Data for AUTH or CONNACK
};

// One exchange with one client: CONNECT, then AUTH packets while the verdict is kContinue; also used for
// re-authentication. Destroying it cancels a pending answer.
class AuthExchange {
 public:
  using Done = std::function<void(AuthVerdict)>;
  virtual ~AuthExchange() = default;
  // `done` is called once per call, at once or later in a turn of the same worker.
  virtual void start(const AuthRequest& request, Done done) = 0;
  virtual void proceed(ByteView data, Done done) = 0;
};

// Any worker may call it.
class Authenticator {
 public:
  virtual ~Authenticator() = default;
  // nullptr: the authentication method is unknown (0x8C). An empty method is plain user name and password.
  virtual std::unique_ptr<AuthExchange> open(std::string_view method) = 0;
};

struct ClientIdentity {
  std::string_view client_id{};
  std::string_view user_name{};
  std::string_view listener{};
};

// Any worker may call it; answers at once, from memory.
class Authorizer {
 public:
  virtual ~Authorizer() = default;
  virtual bool may_publish(const ClientIdentity& who, std::string_view topic, mqtt::Qos qos, bool retain) = 0;
  // For a shared subscription `filter` is the part behind the share name.
  virtual bool may_subscribe(const ClientIdentity& who, std::string_view filter) = 0;
  virtual bool may_receive(const ClientIdentity& who, std::string_view topic) = 0;
  // False lets the worker skip may_receive for every delivery.
  [[nodiscard]] virtual bool checks_receive() const = 0;
};

// Keys and values of a table, in the order of the keys.
using StoredEntries = std::vector<std::pair<std::string, std::string>>;
using ReadDone = std::function<void(Worker&, Result<StoredEntries>)>;

// Where everything is that must survive: four tables of keys and values, changed by commits. Any worker may
// call any method.
class Store {
 public:
  virtual ~Store() = default;
  // True when a restart loses everything anyway: then nobody makes commits.
  [[nodiscard]] virtual bool is_volatile() const = 0;
  // By the origin, in the order of the numbers, before a part is handed in.
  virtual void announce(std::shared_ptr<Commit> commit) = 0;
  // All parts are in; by the worker that handed in the last one. True if committed() of the origin has
  // advanced already, because there was nothing to write; else every worker with a part gets a CommittedMail
  // when it has.
  [[nodiscard]] virtual bool ready(Commit& commit) = 0;
  // Every commit of `origin` up to this one is durable.
  [[nodiscard]] virtual CommitNumber committed(WorkerIndex origin) const = 0;
  // A write is under way, and what is handed in now waits for its end.
  [[nodiscard]] virtual bool is_busy() const = 0;
  // Nothing can be stored at present: the disk is full or fails. Commits wait until it can be.
  [[nodiscard]] virtual bool is_refusing() const = 0;
  // Reads from `from` on, up to and without `to`, until `bytes_max` bytes are found, but one entry if there
  // is one. Sees what was durable when it was asked, and perhaps more. `then` runs in a later turn of
  // `asker`; not at all if the store ends before.
  virtual void read(WorkerIndex asker, Table table, std::string from, std::string to, std::size_t bytes_max,
                    ReadDone then) = 0;
};

// The present retained message of a topic as a value of Table::kRetained; false if there is none. Any thread.
using RetainedReader = std::function<bool(std::string_view topic, ByteBuffer& value)>;

// Random numbers for assigned client ids. Any worker may call it.
class Entropy {
 public:
  virtual ~Entropy() = default;
  virtual std::uint64_t next() = 0;
};

struct Ports {
  const Clock& clock;
  Peers& peers;
  Store& store;
  Authenticator& authenticator;
  Authorizer& authorizer;
  Entropy& entropy;
};

}  // namespace nightjar::broker
