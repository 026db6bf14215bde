// Writes the corpora of the fuzz targets, most of them from the packet cases: make_corpus DIR
// makes DIR/reader, DIR/connection, DIR/properties, DIR/records and DIR/topic_filter; files that are there
// already are left or replaced.
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>

#include "broker/durable/records.h"
#include "broker/durable/run.h"
#include "broker/shard_of.h"
#include "mqtt/packet_cases.h"
#include "mqtt/reader.h"

using namespace nightjar;
using namespace nightjar::mqtt;

namespace {

void write(const std::filesystem::path& directory, std::string_view name, const std::string& bytes) {
  std::filesystem::create_directories(directory);
  std::ofstream{directory / name, std::ios::binary} << bytes;
}

// The input of `reader`: version, sender, packet.
void write_packets(const std::filesystem::path& directory) {
  for (const PacketCase& c : packet_cases()) {
    const char version = static_cast<char>(static_cast<int>(c.version) - static_cast<int>(Version::k31));
    const char sender = c.sender == Sender::kClient ? 0 : 1;
    write(directory, c.name, std::string{version, sender} + bytes_of(c.bytes));
  }
}

// What a client may say on one connection, packet after packet. Single packets hardly get beyond the reader.
struct Conversation {
  std::string_view name;
  Version version;
  bool is_connected;    // an accepted CONNECT comes first
  unsigned char piece;  // the bytes come in pieces of one more than this
  std::string_view bytes;
};

constexpr Conversation kConversations[] = {
    {"talk-v5-own-qos2", Version::k5, true, 200,
     "82 {0001 {} (a/b) 02} 34 {(a/b) 0002 {} 'one'} 62 02 00 02 50 02 00 01 70 02 00 01"},
    {"talk-v311-own-qos1", Version::k311, true, 0, "82 {0001 (a/#) 01} 32 {(a/b) 0002 'one'} 40 02 00 01"},
    {"talk-v31-own-qos2", Version::k31, true, 2,
     "82 {0001 (+/b) 02} 34 {(a/b) 0002 'one'} 62 02 00 02 50 02 00 01 70 02 00 01"},
    {"talk-v5-qos2-sent-again", Version::k5, true, 200,
     "34 {(a) 0002 {} 'x'} 3C {(a) 0002 {} 'x'} 62 02 00 02 62 02 00 02 34 {(a) 0002 {} 'y'}"},
    {"talk-v5-retained", Version::k5, true, 200,
     "33 {(r/1) 0001 {02 0000003C} 'kept'} 82 {0002 {} (r/#) 01} 31 {(r/1) {}} 82 {0003 {} (r/#) 11}"},
    {"talk-v311-retained", Version::k311, true, 200,
     "31 {(r) 'kept'} 82 {0002 (r) 02} 31 {(r)} 82 {0003 (r) 00}"},
    {"talk-v5-alias", Version::k5, true, 200,
     "30 {(a/b) {23 0001} 'x'} 30 {() {23 0001} 'y'} 30 {(c) {23 0001} 'z'}"},
    {"talk-v5-alias-unknown", Version::k5, true, 200, "30 {() {23 0007} 'y'}"},
    {"talk-v5-shared", Version::k5, true, 200,
     "82 {0001 {0B 05} ($share/g/a/+) 01} 82 {0002 {} ($share/g/#) 02} 32 {(a/b) 0003 {} 'x'} 40 02 00 01 "
     "A2 {0004 {} ($share/g/a/+)} 32 {(a/b) 0005 {} 'y'}"},
    {"talk-v5-shared-refused-by-member", Version::k5, true, 200,
     "82 {0001 {} ($share/g/a) 02} 34 {(a) 0002 {} 'x'} 62 02 00 02 50 03 00 01 97 40 03 00 01 80"},
    {"talk-v5-no-local", Version::k5, true, 200,
     "82 {0001 {} (a) 05 (#) 0E} 32 {(a) 0002 {01 01 26 (k)(v)} 'x'}"},
    {"talk-v5-subscription-ids", Version::k5, true, 200,
     "82 {0001 {0B 01} (a) 00} 82 {0002 {0B FFFFFF7F} (+) 01} 30 {(a) {} 'x'} A2 {0003 {} (a) (b)}"},
    {"talk-v311-subscribe-again", Version::k311, true, 7,
     "82 {0001 (a) 00 (a) 01} A2 {0002 (a)} A2 {0003 (a)} 82 {0004 (a) 02} C0 00 E0 00 30 {(a) 'late'}"},
    {"talk-v5-filters-refused", Version::k5, true, 200,
     "82 {0001 {} (a/#/b) 01 ($share//a) 01 ($SYS/#) 00 (/) 02}"},
    {"talk-v5-acks-of-nothing", Version::k5, true, 200,
     "40 02 00 09 50 02 00 09 70 02 00 09 62 02 00 09 40 02 00 01 70 02 00 01"},
    {"talk-v5-request-and-response", Version::k5, true, 200,
     "82 {0001 {} (reply) 01} 32 {(ask) 0001 {08 (reply) 09 (corr) 03 (text)} '?'} 32 {(reply) 0002 {09 "
     "(corr)} '!'}"},
    {"talk-v5-bad-end", Version::k5, true, 200, "34 {(a) 0001 {} 'x'} 36 {(a) 0002 {} 'x'}"},
    {"talk-v5-connect-twice", Version::k5, true, 200, "10 {(MQTT) 05 02 0000 {} (client)}"},
    {"talk-v5-reauthenticate", Version::k5, true, 200, "F0 {19 {15 (SCRAM) 16 (data)}} C0 00"},
    {"talk-v5-will-left-behind", Version::k5, false, 200,
     "10 {(MQTT) 05 2E 0001 {11 0000000A} (c1) {18 00000000 02 0000000A} (w) (gone)} 82 {0001 {} (w) 02}"},
    {"talk-v5-will-with-disconnect", Version::k5, false, 200,
     "10 {(MQTT) 05 0E 0001 {11 FFFFFFFF 21 0001 27 00000040 22 0002} (c1) {} (w) (gone)} "
     "82 {0001 {} (#) 02} 34 {(a) 0002 {} 'x'} 34 {(a) 0003 {} 'y'} E0 {04 {11 00000000}}"},
    {"talk-v311-clean-session-0", Version::k311, false, 4,
     "10 {(MQTT) 04 00 0000 (c1)} 82 {0001 (#) 02} 34 {(a) 0002 'x'} 50 02 00 01 E0 00"},
    {"talk-v31-will", Version::k31, false, 0,
     "10 {(MQIsdp) 03 2E 0001 (c1) (w) (gone)} 82 {0001 (w) 01} 82 {0001 (w) 03}"},
    {"talk-v5-takes-over", Version::k5, false, 200,
     "10 {(MQTT) 05 02 0000 {} (neighbour)} 82 {0001 {} (#) 02} 34 {(a) 0002 {} 'x'} C0 00"},
    {"talk-v5-without-client-id", Version::k5, false, 200, "10 {(MQTT) 05 02 0000 {21 0001 19 01} ()} C0 00"},
};

// The input of `connection`: version, an accepted CONNECT first or not, size of the pieces, packets.
void write_connections(const std::filesystem::path& directory) {
  const auto choices = [](Version version, bool is_connected, unsigned char piece) {
    const int first = static_cast<int>(version) - static_cast<int>(Version::k31);
    return std::string{static_cast<char>(first), static_cast<char>(is_connected), static_cast<char>(piece)};
  };
  for (const PacketCase& c : packet_cases()) {
    // What is refused is the business of `reader`; the fuzzer soon finds such packets by itself.
    if (c.sender != Sender::kClient || c.outcome == Outcome::kRefused) continue;
    const std::string bytes = bytes_of(c.bytes);
    const bool is_connect = static_cast<unsigned char>(bytes[0]) >> 4 == 1;
    write(directory, c.name, choices(c.version, !is_connect, 6) + bytes);
  }
  for (const Conversation& talk : kConversations) {
    write(directory, talk.name, choices(talk.version, talk.is_connected, talk.piece) + bytes_of(talk.bytes));
  }
}

// Every list in braces inside the packet of a 5.0 case is a property list; its place follows from the type.
void write_property_lists(const std::filesystem::path& directory) {
  constexpr PropertyContext kContexts[] = {
      PropertyContext::kConnect, PropertyContext::kConnect,     PropertyContext::kConnack,
      PropertyContext::kPublish, PropertyContext::kPuback,      PropertyContext::kPubrec,
      PropertyContext::kPubrel,  PropertyContext::kPubcomp,     PropertyContext::kSubscribe,
      PropertyContext::kSuback,  PropertyContext::kUnsubscribe, PropertyContext::kUnsuback,
      PropertyContext::kConnect, PropertyContext::kConnect,     PropertyContext::kDisconnect,
      PropertyContext::kAuth};
  for (const PacketCase& c : packet_cases()) {
    if (c.version != Version::k5) continue;
    auto context = kContexts[static_cast<unsigned char>(bytes_of(c.bytes)[0]) >> 4];
    int count = 0;
    std::size_t begin = c.bytes.find('{', c.bytes.find('{') + 1);
    while (begin != std::string_view::npos) {
      const std::size_t end = c.bytes.find('}', begin);
      // The second list of a CONNECT is the will's.
      if (count > 0) context = PropertyContext::kWill;
      if (end > begin + 1) {
        write(directory, std::string{c.name} + std::to_string(count),
              static_cast<char>(context) + bytes_of(c.bytes.substr(begin, end - begin + 1)));
      }
      ++count;
      begin = c.bytes.find('{', end);
    }
  }
}

// The input of `topic_filter`: filter, line break, name.
void write_topic_filters(const std::filesystem::path& directory) {
  constexpr std::string_view kInputs[] = {"sport/tennis/player1/#\nsport/tennis/player1",
                                          "sport/#\nsport",
                                          "#\n/",
                                          "+/+\n/finance",
                                          "/+\n/finance",
                                          "+\n/finance",
                                          "#\n$SYS/monitor",
                                          "+/monitor/Clients\n$SYS/monitor/Clients",
                                          "$SYS/#\n$SYS",
                                          "a/+/b\na//b",
                                          "a//b\na//b",
                                          "a/#/b\na",
                                          "a#\na",
                                          "a+/b\na",
                                          "$share/group/a/+\na/b",
                                          "$share//a\na",
                                          "$share/g/\na",
                                          "$share/+/a\na",
                                          "$share\n$share",
                                          "$share/g/$SYS/#\n$SYS/x",
                                          "/\n/",
                                          "+/\n/",
                                          "a/+/c/#\na/b/c",
                                          "\n",
                                          "a\n",
                                          "abcdefgh/ijklmnop/#\nabcdefgh/ijklmnop",
                                          "caf\xC3\xA9/+\ncaf\xC3\xA9/\xE2\x82\xAC"};
  int number = 0;
  for (const std::string_view input : kInputs) {
    write(directory, "pair" + std::to_string(number++), std::string{input});
  }
}

// The input of `records`: table, size of the key, key, value.
void write_row(const std::filesystem::path& directory, std::string_view name, broker::Table table,
               const std::string& key, const std::string& value) {
  write(directory, name, std::string{static_cast<char>(table), static_cast<char>(key.size())} + key + value);
}

broker::MessageRef stored_message(std::string_view payload) {
  broker::Message::Parts parts;
  parts.topic = "plant/pump";
  parts.payload = as_bytes(payload);
  parts.properties = as_bytes(std::string_view{"\x01\x01", 2});
  parts.qos = Qos::kExactlyOnce;
  parts.expires = MonoTime{70'000};
  parts.origin = 0x0123456789ABCDEF;
  return broker::Message::make(parts);
}

void write_queue_rows(const std::filesystem::path& directory, broker::ShardId shard,
                      const broker::StoreClock& clock) {
  std::string value;
  broker::QueueValueWriter entries(value, {broker::WorkerIndex{1}, 300}, 2, clock);
  for (std::uint64_t i = 0; i < 3; ++i) {
    broker::QueueEntry entry;
    entry.sequence = 500 + i;
    entry.message = stored_message(i == 1 ? "" : "on");
    entry.qos = Qos::kAtLeastOnce;
    entry.retain = i == 2;
    entry.id = {static_cast<std::uint16_t>(i)};
    entry.enqueued = MonoTime{60'000};
    if (i == 0) entry.subscription_ids.push_back(268'435'455);
    entries.add(entry);
  }
  write_row(directory, "entries", broker::Table::kQueues, broker::queue_key({shard, 7}, 500), value);
  broker::write_retained(*stored_message("on"), clock, value);
  write_row(directory, "retained", broker::Table::kRetained, "plant/pump", value);
}

void write_records(const std::filesystem::path& directory) {
  using broker::Table;
  const broker::StoreClock clock{.offset_ms = 5};
  const broker::ShardId shard = broker::shard_of("pump", 64);
  const auto session = [&](std::string_view name, char kind, const std::string& value,
                           std::string_view detail = {}) {
    write_row(directory, name, Table::kSessions, broker::session_key(shard, "pump", kind, detail), value);
  };
  session("session", 'h',
          broker::write_session({.queue = 7, .expiry_s = 600, .user_name = "ann", .listener = "tls"}, clock));
  session("session-away", 'h',
          broker::write_session({.queue = 1, .left = MonoTime{9}, .will_due = MonoTime{99}}, clock));
  session("subscription", 's',
          broker::write_subscription({.identifier = 300, .qos = Qos::kExactlyOnce, .no_local = true}),
          "a/+/#");
  session("subscription-shared", 's', broker::write_subscription({.retain_as_published = true}),
          "$share/g/a");
  session("will", 'w',
          broker::write_will(
              {.topic = "gone", .payload = "bye", .has_expiry = true, .expiry_s = 60, .delay_s = 5}));
  std::string ids;
  broker::write_packet_ids({.waiting_from = 500,
                            .last_id = 12,
                            .gone = {501, 502, 510},
                            .sent = {{498, {11}, true}, {499, {12}, false}},
                            .incoming = {1, 2, 9}},
                           ids);
  session("packet-ids", 'p', ids);
  write_row(directory, "group", Table::kSessions, broker::group_record_key(shard, "$share/g/a", 3),
            broker::write_group({.version = 3, .next_sequence = 40, .live = {30, 31, 38}}));
  write_row(directory, "group-queue", Table::kSessions, broker::group_queue_key(shard, "$share/g/a"),
            broker::write_group_queue(8));
  write_row(directory, "run", Table::kMeta, std::string(broker::kRunKey),
            broker::write_run({.incarnation = 3, .boot = "b", .offset_ms = -5}));
  write_queue_rows(directory, shard, clock);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: make_corpus DIR    (tests/fuzz/corpus)\n");
    return 2;
  }
  const std::filesystem::path corpus{argv[1]};
  write_packets(corpus / "reader");
  write_connections(corpus / "connection");
  write_property_lists(corpus / "properties");
  write_topic_filters(corpus / "topic_filter");
  write_records(corpus / "records");
  return 0;
}
