// The keys of [listener.tls]: what each sets, and what is said about a wrong one.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "config/load.h"
#include "config/schema.h"

namespace nightjar::config {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr const char* kListener = "[[listener]]\nname = \"secure\"\n[listener.tls]\n";
constexpr const char* kPair = "certificate = \"a.pem\"\nkey = \"a.key\"\n";

ListenerConfig listener_of(const std::string& keys) {
  auto config = load_text(kListener + keys, "nightjar.toml");
  if (!config) {
    ADD_FAILURE() << config.error().front();
    return {};
  }
  return config->listeners.at(0);
}

TlsConfig tls_of(const std::string& keys) { return listener_of(kPair + keys).tls; }

Problems problems(const std::string& keys) {
  auto config = load_text(kListener + keys, "nightjar.toml");
  return config ? Problems{} : config.error();
}

TEST(TlsKeys, ACertificateTurnsTlsOn) {
  const TlsConfig tls = tls_of("");
  EXPECT_TRUE(tls.is_on());
  EXPECT_EQ(tls.files.certificate, "a.pem");
  EXPECT_EQ(tls.files.key, "a.key");
  EXPECT_EQ(tls.profile, TlsProfile::kModern);
  EXPECT_EQ(tls.client_certificate, ClientCertificate::kNone);
}

TEST(TlsKeys, SoDoesAFileOfKeys) {
  const TlsConfig tls = listener_of("psk_file = \"keys\"\npsk_hint = \"plant\"\n").tls;
  EXPECT_TRUE(tls.is_on());
  EXPECT_EQ(tls.psk_file, "keys");
  EXPECT_EQ(tls.psk_hint, "plant");
}

TEST(TlsKeys, VersionsAndSuites) {
  const TlsConfig tls = tls_of(
      "min_version = \"1.3\"\nmax_version = \"1.3\"\nciphers = \"AES\"\nciphers_tls13 = \"X\"\ndh_params = "
      "\"dh\"\n");
  EXPECT_EQ(tls.min_version, TlsVersion::kTls13);
  EXPECT_EQ(tls.max_version, TlsVersion::kTls13);
  EXPECT_EQ(tls.ciphers, "AES");
  EXPECT_EQ(tls.ciphers_tls13, "X");
  EXPECT_EQ(tls.dh_params, "dh");
}

TEST(TlsKeys, ClientCertificates) {
  const TlsConfig tls = tls_of(
      "client_certificate = \"optional\"\nclient_ca = \"ca.pem\"\nclient_ca_dir = \"cas\"\ncrl = "
      "\"crl.pem\"\n"
      "ignore_client_dates = true\nuser_from = \"dns-name\"\n");
  EXPECT_EQ(tls.client_certificate, ClientCertificate::kOptional);
  EXPECT_EQ(tls.client_ca, "ca.pem");
  EXPECT_EQ(tls.client_ca_dir, "cas");
  EXPECT_EQ(tls.crl, "crl.pem");
  EXPECT_TRUE(tls.ignores_client_dates);
  EXPECT_EQ(tls.user_from, CertificateUser::kDnsName);
}

TEST(TlsKeys, FurtherCertificatesAreAList) {
  const TlsConfig tls = tls_of(
      "[[listener.tls.more]]\ncertificate = \"b.pem\"\nkey = \"b.key\"\n"
      "[[listener.tls.more]]\ncertificate = \"c.pem\"\nkey = \"c.key\"\n");
  ASSERT_EQ(tls.more.size(), 2u);
  EXPECT_EQ(tls.more[0].certificate, "b.pem");
  EXPECT_EQ(tls.more[1].key, "c.key");
}

TEST(TlsKeys, ThePlacesOfFurtherCertificatesStayApart) {
  const auto config = load_text(std::string(kListener) + kPair +
                                    "[[listener.tls.more]]\ncertificate = \"b.pem\"\nkey = \"b.key\"\n"
                                    "[[listener.tls.more]]\ncertificate = \"c.pem\"\nkey = \"c.key\"\n",
                                "nightjar.toml");
  ASSERT_TRUE(config.has_value());
  EXPECT_THAT(said_at(*config, "listener.secure.tls.more", "key"), HasSubstr("nightjar.toml:8:"));
  EXPECT_THAT(said_at(*config, "listener.secure.tls.more.2", "key"), HasSubstr("nightjar.toml:11:"));
}

TEST(TlsKeys, ControllersGetTimeAndOneMessageAtATime) {
  const ListenerConfig listener = listener_of(std::string(kPair) + "profile = \"plc\"\n");
  EXPECT_EQ(listener.tls.profile, TlsProfile::kPlc);
  EXPECT_EQ(listener.tls.max_version, TlsVersion::kTls12);
  EXPECT_EQ(listener.policy.connect_timeout, Duration::seconds(30));
  EXPECT_EQ(listener.policy.inflight_max, 1);
  EXPECT_EQ(listener.policy.output_bytes_max, 16u * 1024);
  EXPECT_EQ(listener.policy.outstanding_bytes_max, 8u * 1024);
  EXPECT_EQ(listener.policy.packet_bytes_max_out, 8u * 1024);
}

TEST(TlsKeys, WhatTheFileSaysStandsOnAControllersListenerToo) {
  const auto config = load_text(
      "[limits]\nmax_inflight = 7\nmax_packet_size_out = \"2KiB\"\n"
      "[[listener]]\nconnect_timeout = \"9s\"\nmax_outstanding_bytes = 0\n[listener.tls]\n"
      "profile = \"plc\"\nmax_version = \"1.3\"\ncertificate = \"a\"\nkey = \"b\"\n",
      "nightjar.toml");
  ASSERT_TRUE(config.has_value());
  const ListenerConfig& listener = config->listeners.at(0);
  EXPECT_EQ(listener.policy.inflight_max, 7);
  EXPECT_EQ(listener.policy.connect_timeout, Duration::seconds(9));
  EXPECT_EQ(listener.policy.packet_bytes_max_out, 2u * 1024);
  EXPECT_EQ(listener.policy.outstanding_bytes_max, 0u);
  EXPECT_EQ(listener.tls.max_version, TlsVersion::kTls13);
}

// ---- what is wrong ----

TEST(TlsKeys, ATableWithoutCertificateSaysWhatIsMissing) {
  EXPECT_THAT(problems("min_version = \"1.2\"\n"),
              ElementsAre(AllOf(HasSubstr("nightjar.toml:3:1: [listener.secure.tls] has no certificate"),
                                HasSubstr("psk_file"))));
}

TEST(TlsKeys, ACertificateAndItsKeyGoTogether) {
  EXPECT_THAT(problems("certificate = \"a.pem\"\n"),
              ElementsAre(HasSubstr("has the certificate a.pem without a \"key\"")));
  EXPECT_THAT(problems("psk_file = \"p\"\nkey = \"a.key\"\n"),
              ElementsAre(HasSubstr("has the key a.key without a \"certificate\"")));
  EXPECT_THAT(problems(std::string(kPair) + "[[listener.tls.more]]\ncertificate = \"b.pem\"\n"),
              ElementsAre(HasSubstr("has the certificate b.pem without a \"key\"")));
}

TEST(TlsKeys, WrongValuesNameThePlaceAndWhatWouldBeRight) {
  const std::string pair = kPair;
  EXPECT_THAT(
      problems(pair + "min_version = \"1.1\"\n"),
      ElementsAre("nightjar.toml:6:15: \"min_version\" in [listener.secure.tls] must be one of \"1.2\", "
                  "\"1.3\", not the string \"1.1\""));
  EXPECT_THAT(problems(pair + "max_version = 1.2\n"), ElementsAre(HasSubstr("not 1.2")));
  EXPECT_THAT(problems(pair + "profile = \"old\"\n"), ElementsAre(HasSubstr("one of \"modern\", \"plc\"")));
  EXPECT_THAT(problems(pair + "client_certificate = true\n"),
              ElementsAre(HasSubstr("one of \"none\", \"optional\", \"required\", not true")));
  EXPECT_THAT(problems(pair + "user_from = \"cn\"\n"), ElementsAre(HasSubstr("\"common-name\"")));
  EXPECT_THAT(problems(pair + "ignore_client_dates = 1\n"), ElementsAre(HasSubstr("must be true or false")));
  for (const char* name : {"ciphers", "ciphers_tls13", "dh_params", "client_ca", "client_ca_dir", "crl",
                           "psk_file", "psk_hint"}) {
    EXPECT_THAT(problems(pair + name + " = 3\n"), ElementsAre(HasSubstr("must be a string, not 3"))) << name;
  }
  EXPECT_THAT(problems("certificate = 3\nkey = 4\npsk_file = \"p\"\n"),
              ElementsAre(HasSubstr(":4:15: \"certificate\""), HasSubstr(":5:7: \"key\"")));
}

TEST(TlsKeys, MisspeltKeysGetASuggestion) {
  EXPECT_THAT(problems(std::string(kPair) + "client_cert = \"none\"\n"),
              ElementsAre(HasSubstr("unknown key \"client_cert\" in [listener.secure.tls]")));
  EXPECT_THAT(problems(std::string(kPair) + "cipher = \"AES\"\n"),
              ElementsAre(HasSubstr("did you mean \"ciphers\"?")));
  EXPECT_THAT(problems(std::string(kPair) + "[[listener.tls.more]]\ncertificat = \"b\"\n"),
              ElementsAre(AllOf(HasSubstr("in [listener.secure.tls.more]"),
                                HasSubstr("did you mean \"certificate\"?"))));
}

TEST(TlsKeys, FurtherCertificatesNeedTwoBrackets) {
  EXPECT_THAT(problems(std::string(kPair) + "[listener.tls.more]\nkey = \"b\"\n"),
              ElementsAre(HasSubstr("write [[listener.secure.tls.more]] with two brackets")));
}

}  // namespace
}  // namespace nightjar::config
