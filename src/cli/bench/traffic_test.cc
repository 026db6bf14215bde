#include "cli/bench/traffic.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>

#include <array>
#include <cstring>
#include <string>

namespace nightjar::cli::bench {
namespace {

Address address(const char* host) {
  sockaddr_in in{.sin_family = AF_INET, .sin_port = htons(1883)};
  inet_pton(AF_INET, host, &in.sin_addr);
  Address result{.size = sizeof in};
  std::memcpy(&result.storage, &in, sizeof in);
  return result;
}

std::string source(const char* host, std::uint64_t client) {
  const auto found = source_address(address(host), client);
  if (!found) return "";
  std::array<char, INET_ADDRSTRLEN> text{};
  return inet_ntop(AF_INET, &found->sin_addr, text.data(), text.size());
}

TEST(SourceAddress, IsAnotherOneForEvery20000ClientsOfThisMachine) {
  EXPECT_EQ(source("127.0.0.1", 0), "");
  EXPECT_EQ(source("127.0.0.1", 19'999), "");
  EXPECT_EQ(source("127.0.0.1", 20'000), "127.0.0.2");
  EXPECT_EQ(source("127.0.0.1", 999'999), "127.0.0.50");
}

TEST(SourceAddress, IsLeftToTheKernelElsewhere) { EXPECT_EQ(source("192.0.2.1", 50'000), ""); }

}  // namespace
}  // namespace nightjar::cli::bench
