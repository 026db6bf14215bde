// Writes the corpora of the codec's fuzz targets from the packet cases: make_corpus DIR
// makes DIR/reader, DIR/connection, DIR/properties and DIR/topic_filter; files that are there already are
// left or replaced.
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>

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

// The input of `connection`: version, an accepted CONNECT first or not, size of the pieces, packet.
void write_connections(const std::filesystem::path& directory) {
  for (const PacketCase& c : packet_cases()) {
    if (c.sender != Sender::kClient) continue;
    const std::string bytes = bytes_of(c.bytes);
    const bool is_connect = !bytes.empty() && (static_cast<unsigned char>(bytes[0]) >> 4) == 1;
    const char version = static_cast<char>(static_cast<int>(c.version) - static_cast<int>(Version::k31));
    write(directory, c.name, std::string{version, static_cast<char>(is_connect ? 0 : 1), 6} + bytes);
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
  return 0;
}
