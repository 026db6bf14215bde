#include "net/address.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "net/port_holder.h"
#include "tests/support/temp_dir.h"

namespace nightjar::net {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

std::vector<std::string> texts(std::string_view host, std::uint16_t port) {
  std::vector<std::string> found;
  const auto addresses = addresses_of(host, port);
  if (!addresses) return {addresses.error().message};
  for (const Address& address : *addresses) found.emplace_back(AddressText(address).view());
  return found;
}

TEST(Address, IsReadAndWritten) {
  EXPECT_THAT(texts("192.0.2.7", 51234), ElementsAre("192.0.2.7:51234"));
  EXPECT_THAT(texts("2001:db8::7", 1883), ElementsAre("[2001:db8::7]:1883"));
  EXPECT_THAT(texts("[2001:db8::7]", 1883), ElementsAre("[2001:db8::7]:1883"));
}

TEST(Address, WordsStandForSeveral) {
  EXPECT_THAT(texts("*", 1883), ElementsAre("0.0.0.0:1883", "[::]:1883"));
  EXPECT_THAT(texts("", 1883), ElementsAre("0.0.0.0:1883", "[::]:1883"));
  EXPECT_THAT(texts("localhost", 1), ElementsAre("127.0.0.1:1", "[::1]:1"));
}

TEST(Address, TheLongestFitsIntoItsText) {
  EXPECT_THAT(texts("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", 65535),
              ElementsAre("[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535"));
}

TEST(Address, NamesAreRefusedWithWhatWouldBeRight) {
  EXPECT_THAT(texts("broker.example", 1883), ElementsAre(HasSubstr("\"broker.example\" is not an address")));
  EXPECT_THAT(texts("1.2.3", 1883), ElementsAre(HasSubstr("127.0.0.1")));
}

// A small /proc with one process that listens on port 1883 (0x075B).
struct PortHolderTest : testing::Test {
  PortHolderTest() {
    namespace fs = std::filesystem;
    fs::create_directories(proc / "net");
    fs::create_directories(proc / "4711/fd");
    fs::create_directories(proc / "self");
    fs::create_symlink("socket:[9999]", proc / "4711/fd/3");
    fs::create_symlink("socket:[123456]", proc / "4711/fd/7");
    std::ofstream(proc / "4711/comm") << "mosquitto\n";
    std::ofstream(proc / "net/tcp") << "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when "
                                       "retrnsmt   uid  timeout inode\n"
                                       "   0: 0100007F:075B 00000000:0000 0A 00000000:00000000 00:00000000 "
                                       "00000000     0        0 123456 1\n"
                                       "   1: 0100007F:075C 0100007F:075B 01 00000000:00000000 00:00000000 "
                                       "00000000     0        0 9999 1\n";
  }
  test_support::TempDir directory;
  std::filesystem::path proc = directory.path();
};

TEST_F(PortHolderTest, NamesTheProcessThatListens) {
  EXPECT_EQ(port_holder(1883, proc), "process 4711 (mosquitto)");
}

TEST_F(PortHolderTest, AConnectedSocketIsNoListener) {
  EXPECT_THAT(port_holder(1884, proc), HasSubstr("ss -ltnp"));
}

TEST_F(PortHolderTest, SaysHowToFindOutWhatItMayNotSee) {
  std::filesystem::remove_all(proc / "4711");
  EXPECT_THAT(port_holder(1883, proc), HasSubstr("ss -ltnp 'sport = :1883'"));
}

}  // namespace
}  // namespace nightjar::net
