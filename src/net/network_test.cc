#include "net/network.h"

#include <gtest/gtest.h>

namespace nightjar::net {
namespace {

bool holds(std::string_view network, std::string_view address) {
  return Network::parse(network).value().contains(addresses_of(address, 1).value().front());
}

TEST(Network, HoldsTheAddressesThatBeginLikeIt) {
  EXPECT_TRUE(holds("10.0.0.0/8", "10.255.1.2"));
  EXPECT_FALSE(holds("10.0.0.0/8", "11.0.0.1"));
  EXPECT_TRUE(holds("192.168.128.0/17", "192.168.255.255"));
  EXPECT_FALSE(holds("192.168.128.0/17", "192.168.127.255"));
  EXPECT_TRUE(holds("192.0.2.7", "192.0.2.7"));
  EXPECT_FALSE(holds("192.0.2.7", "192.0.2.6"));
  EXPECT_TRUE(holds("0.0.0.0/0", "203.0.113.9"));
  EXPECT_TRUE(holds("fd00::/8", "fdff::1"));
  EXPECT_FALSE(holds("fd00::/8", "fe80::1"));
  EXPECT_TRUE(holds("::1", "::1"));
}

TEST(Network, FamiliesAreKeptApart) {
  EXPECT_FALSE(holds("0.0.0.0/0", "::1"));
  EXPECT_FALSE(holds("::/0", "127.0.0.1"));
}

TEST(Network, WhatIsNoNetworkIsRefused) {
  for (const char* wrong :
       {"", "/8", "10.0.0.0/", "10.0.0.0/33", "::/129", "10.0.0/8", "10.0.0.0/8x", "10.0.0.0/-1", "host"}) {
    EXPECT_FALSE(Network::parse(wrong).has_value()) << wrong;
  }
}

}  // namespace
}  // namespace nightjar::net
