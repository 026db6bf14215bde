#include "config/mosquitto/persistence.h"

#include <fmt/format.h>

#include <unordered_set>

namespace nightjar::config::mosquitto {
namespace {

constexpr std::string_view kMagic{"\x00\xb5\x00mosquitto db", 15};
constexpr std::uint32_t kOldestFormat = 5;
constexpr std::uint32_t kNewestFormat = 6;

enum class Chunk : std::uint32_t {
  kConfig = 1,
  kMessage = 2,
  kClientMessage = 3,
  kRetained = 4,
  kSubscription = 5,
  kClient = 6
};

// Lengths and small numbers are written highest byte first; ids and times as the machine has them.
class Bytes {
 public:
  Bytes(std::string_view bytes, std::size_t offset) : bytes_(bytes), offset_(offset) {}

  std::string_view take(std::size_t size) {
    if (!is_good_ || size > bytes_.size() - at_) {
      is_good_ = false;
      return {};
    }
    const std::string_view taken = bytes_.substr(at_, size);
    at_ += size;
    return taken;
  }
  std::uint64_t high_first(std::size_t size) {
    std::uint64_t value = 0;
    for (const char c : take(size)) value = value << 8 | static_cast<unsigned char>(c);
    return value;
  }
  std::uint64_t low_first(std::size_t size) {
    const std::string_view taken = take(size);
    std::uint64_t value = 0;
    for (std::size_t i = taken.size(); i-- != 0;) value = value << 8 | static_cast<unsigned char>(taken[i]);
    return value;
  }
  std::uint8_t u8() { return static_cast<std::uint8_t>(high_first(1)); }
  std::uint16_t u16() { return static_cast<std::uint16_t>(high_first(2)); }
  std::uint32_t u32() { return static_cast<std::uint32_t>(high_first(4)); }
  std::uint64_t id() { return low_first(8); }
  std::int64_t time() { return static_cast<std::int64_t>(low_first(8)); }
  std::string_view rest() { return take(bytes_.size() - at_); }

  [[nodiscard]] bool is_good() const { return is_good_; }
  [[nodiscard]] bool at_end() const { return at_ == bytes_.size(); }
  [[nodiscard]] std::size_t offset() const { return offset_ + at_; }

 private:
  std::string_view bytes_;
  std::size_t offset_;
  std::size_t at_ = 0;
  bool is_good_ = true;
};

// As the file numbers them.
MessageState state_of(std::uint8_t number) {
  switch (number) {
    case 3:  // waits for PUBACK
    case 5:  // waits for PUBREC
      return MessageState::kSent;
    case 6:  // PUBREL is to be sent again
    case 9:  // waits for PUBCOMP
      return MessageState::kReleased;
    case 7:   // waits for PUBREL
    case 10:  // PUBREC is to be sent
      return MessageState::kNotReleased;
    case 8:  // PUBCOMP is to be sent again
      return MessageState::kDone;
    default:
      return MessageState::kWaiting;
  }
}

class Reader {
 public:
  Reader(std::string_view bytes, std::string_view name) : file_(bytes, 0), bytes_(bytes), name_(name) {}

  Result<Persistence> read() {
    if (file_.take(kMagic.size()) != kMagic) return damaged(0, "it is no file of Mosquitto's persistence");
    file_.u32();  // a checksum that is never set
    found_.format = file_.u32();
    if (!file_.is_good()) return damaged(file_.offset(), "it ends within its header");
    if (found_.format < kOldestFormat || found_.format > kNewestFormat) {
      return damaged(kMagic.size() + 4, fmt::format("it has the format {}, and only {} and {} can be read",
                                                    found_.format, kOldestFormat, kNewestFormat));
    }
    while (!file_.at_end()) {
      const std::size_t begin = file_.offset();
      NJ_CHECK(chunk(begin));
    }
    NJ_CHECK(check_references());
    return std::move(found_);
  }

 private:
  tl::unexpected<Error> damaged(std::size_t offset, std::string_view what) {
    return fail(fmt::format("{}: at byte {}: {}", name_, offset, what));
  }

  Result<void> chunk(std::size_t begin) {
    const std::uint32_t kind = file_.u32();
    const std::uint32_t size = file_.u32();
    if (!file_.is_good() || size > bytes_.size() - file_.offset())
      return damaged(begin, "the file ends within a chunk: it was cut off, or is damaged");
    const std::size_t offset = file_.offset();
    Bytes body(file_.take(size), offset);
    switch (static_cast<Chunk>(kind)) {
      case Chunk::kConfig:
        return config(body);
      case Chunk::kMessage:
        return message(body, begin);
      case Chunk::kClientMessage:
        return client_message(body, begin);
      case Chunk::kRetained:
        found_.retained.push_back(body.id());
        return check(body, begin, "retained message");
      case Chunk::kSubscription:
        return subscription(body, begin);
      case Chunk::kClient:
        return client(body, begin);
    }
    return damaged(begin, fmt::format("there is no chunk of kind {}", kind));
  }

  Result<void> check(const Bytes& body, std::size_t begin, std::string_view what) {
    if (body.is_good() && body.at_end()) return {};
    return damaged(begin, fmt::format("the lengths in this {} do not fit its size", what));
  }

  Result<void> config(Bytes& body) {
    const std::size_t begin = body.offset();
    body.id();
    body.u8();  // whether the broker ended in good order
    if (const unsigned size = body.u8(); size != 8)
      return damaged(begin, fmt::format("ids of {} bytes cannot be read, only of 8", size));
    body.rest();
    return check(body, begin, "header");
  }

  Result<void> message(Bytes& body, std::size_t begin) {
    StoredMessage read;
    read.id = body.id();
    read.expires_s = body.time();
    const std::uint32_t payload = body.u32();
    body.u16();  // the publisher's packet id
    const std::uint16_t source_id = body.u16();
    const std::uint16_t user_name = body.u16();
    const std::uint16_t topic = body.u16();
    read.source_port = body.u16();
    read.qos = body.u8();
    read.retain = body.u8() != 0;
    read.source_id = body.take(source_id);
    read.source_user_name = body.take(user_name);
    read.topic = body.take(topic);
    read.payload = body.take(payload);
    read.properties = body.rest();
    NJ_CHECK(check(body, begin, "message"));
    if (read.qos > 2) return damaged(begin, fmt::format("there is no QoS {}", read.qos));
    if (!ids_.insert(read.id).second) return damaged(begin, "this message was there before");
    found_.messages.push_back(read);
    return {};
  }

  Result<void> client_message(Bytes& body, std::size_t begin) {
    ClientMessage read;
    read.message_id = body.id();
    read.packet_id = body.u16();
    const std::uint16_t id = body.u16();
    read.qos = body.u8();
    read.state = state_of(body.u8());
    read.retain = (body.u8() & 0xF0) != 0;
    read.is_incoming = body.u8() == 0;
    read.client_id = body.take(id);
    read.properties = body.rest();
    NJ_CHECK(check(body, begin, "message of a client"));
    if (read.qos > 2) return damaged(begin, fmt::format("there is no QoS {}", read.qos));
    found_.client_messages.push_back(read);
    return {};
  }

  Result<void> subscription(Bytes& body, std::size_t begin) {
    StoredSubscription read;
    read.identifier = body.u32();
    const std::uint16_t id = body.u16();
    const std::uint16_t filter = body.u16();
    read.qos = body.u8();
    const unsigned options = body.u8();
    read.no_local = (options & 4) != 0;
    read.retain_as_published = (options & 8) != 0;
    body.take(2);
    read.client_id = body.take(id);
    read.filter = body.take(filter);
    NJ_CHECK(check(body, begin, "subscription"));
    if (read.qos > 2) return damaged(begin, fmt::format("there is no QoS {}", read.qos));
    found_.subscriptions.push_back(read);
    return {};
  }

  Result<void> client(Bytes& body, std::size_t begin) {
    StoredClient read;
    read.expires_s = body.time();
    read.expiry_interval_s = body.u32();
    read.last_packet_id = body.u16();
    const std::uint16_t id = body.u16();
    std::uint16_t user_name = 0;
    if (found_.format >= 6) {
      read.listener_port = body.u16();
      user_name = body.u16();
      body.take(4);
    }
    read.id = body.take(id);
    read.user_name = body.take(user_name);
    NJ_CHECK(check(body, begin, "client"));
    found_.clients.push_back(read);
    return {};
  }

  // A message may follow those who refer to it.
  Result<void> check_references() {
    const auto is_known = [this](std::uint64_t id) { return ids_.contains(id); };
    for (const std::uint64_t id : found_.retained) {
      if (!is_known(id)) return damaged(bytes_.size(), fmt::format("the retained message {} is missing", id));
    }
    for (const ClientMessage& each : found_.client_messages) {
      if (!is_known(each.message_id) && each.state != MessageState::kReleased)
        return damaged(bytes_.size(), fmt::format("message {} of client \"{}\" is missing", each.message_id,
                                                  each.client_id));
    }
    return {};
  }

  Bytes file_;
  std::string_view bytes_;
  std::string_view name_;
  Persistence found_;
  std::unordered_set<std::uint64_t> ids_;
};

}  // namespace

Result<Persistence> read_persistence(std::string_view bytes, std::string_view name) {
  return Reader(bytes, name).read();
}

}  // namespace nightjar::config::mosquitto
