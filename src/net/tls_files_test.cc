#include "net/tls_files.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "net/tls_context.h"
#include "tests/support/test_certificates.h"

namespace nightjar::net {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

struct TlsFilesTest : testing::Test {
  // What is said about a file with this text when a certificate, or a key, is wanted.
  std::string about_certificate(const std::string& text) {
    files.write_text("asked", text);
    const auto read = read_certificates(files.path("asked"));
    return read ? "nothing" : read.error().message;
  }
  std::string about_key(const std::string& text) {
    files.write_text("asked", text);
    const auto read = read_private_key(files.path("asked"));
    return read ? "nothing" : read.error().message;
  }
  static std::string about(const TlsSettings& settings, std::string* key = nullptr) {
    const auto context = TlsContext::open(settings);
    if (context) return "nothing";
    if (key != nullptr) *key = context.error().key;
    return context.error().message;
  }
  TlsSettings settings() const {
    return {.listener = "secure", .certificates = {{files.path("server.pem"), files.path("server.key")}}};
  }

  test_support::TestCertificates files;
};

TEST_F(TlsFilesTest, AChainIsReadInItsOrder) {
  EXPECT_EQ(about_certificate(files.read("server.pem") + files.read("ca.pem")), "nothing");
  EXPECT_EQ(read_certificates(files.path("asked")).value().size(), 2u);
}

TEST_F(TlsFilesTest, WhatIsNoCertificateIsCalledByItsName) {
  EXPECT_THAT(read_certificates("/nowhere/a.pem").error().message,
              HasSubstr("cannot read /nowhere/a.pem: No such file"));
  EXPECT_THAT(about_certificate(""), HasSubstr("is empty; it must hold a certificate in PEM form"));
  EXPECT_THAT(about_certificate("hello"), HasSubstr("has no line \"-----BEGIN CERTIFICATE-----\""));
  EXPECT_THAT(about_certificate("\x30\x82\x01"), HasSubstr("openssl x509 -inform der -in"));
  EXPECT_THAT(about_certificate(files.read("server.key")), HasSubstr("are certificate and key swapped?"));
  EXPECT_THAT(about_key(files.read("server.pem")), HasSubstr("holds a CERTIFICATE and no private key"));
  std::string damaged = files.read("server.pem");
  damaged[80] = '*';
  EXPECT_THAT(about_certificate(damaged), HasSubstr("is damaged"));
  EXPECT_THAT(about_certificate(files.read("ca.pem") + damaged), HasSubstr("is damaged"));
}

TEST_F(TlsFilesTest, LinesOfAPskFileAreChecked) {
  const auto about_psk = [](std::string_view text) {
    const auto read = parse_psk_table(text, "keys");
    return read ? std::string("nothing") : read.error().message;
  };
  EXPECT_EQ(parse_psk_table("a:00ff\r\n\n# no key\nb:Ab", "keys").value(),
            (PskTable{{"a", std::string("\x00\xff", 2)}, {"b", "\xab"}}));
  EXPECT_EQ(about_psk("a:00\nnonsense\n"), "keys:2: write \"identity:hexadecimal key\"");
  EXPECT_THAT(about_psk(":00"), HasSubstr("keys:1: write"));
  EXPECT_THAT(about_psk("a:0"), HasSubstr("pairs of hexadecimal digits"));
  EXPECT_THAT(about_psk("a:0g"), HasSubstr("pairs of hexadecimal digits"));
  EXPECT_THAT(about_psk("a:"), HasSubstr("pairs of hexadecimal digits"));
  EXPECT_THAT(about_psk("a:00\na:01"), HasSubstr("keys:2: this identity has a key already"));
  EXPECT_THAT(about_psk(std::string(200, 'a') + ":00"), HasSubstr("at most 128 characters"));
  EXPECT_THAT(about_psk("a:" + std::string(514, '0')), HasSubstr("at most 256 bytes"));
}

TEST_F(TlsFilesTest, ErrorsNameTheKeyOfTheConfiguration) {
  TlsSettings asked = settings();
  std::string key;
  asked.certificates[0].key = files.path("ca.key");
  EXPECT_THAT(about(asked, &key), HasSubstr("does not belong to the first certificate"));
  EXPECT_EQ(key, "key");

  asked = settings();
  asked.ciphers = "NOTHING";
  EXPECT_THAT(about(asked, &key), HasSubstr("no suite of TLS 1.2 in \"NOTHING\""));
  EXPECT_EQ(key, "ciphers");

  asked = settings();
  asked.ciphers_tls13 = "NOTHING";
  EXPECT_THAT(about(asked, &key), HasSubstr("TLS_AES_128_GCM_SHA256"));
  EXPECT_EQ(key, "ciphers_tls13");

  asked = settings();
  asked.min_version = TlsProtocolVersion::kTls13;
  asked.max_version = TlsProtocolVersion::kTls12;
  EXPECT_THAT(about(asked, &key), HasSubstr("above max_version"));
  EXPECT_EQ(key, "min_version");

  asked = settings();
  asked.client_certificate = TlsClientCertificate::kRequired;
  EXPECT_THAT(about(asked, &key), HasSubstr("set client_ca"));
  EXPECT_EQ(key, "client_certificate");
  asked.client_ca = files.path("server.pem");
  EXPECT_THAT(about(asked, &key), HasSubstr("is not that of an authority"));
  EXPECT_EQ(key, "client_ca");
  asked.client_ca = files.path("ca.pem");
  asked.crl = files.path("ca.pem");
  EXPECT_THAT(about(asked, &key), HasSubstr("no revocation list"));
  EXPECT_EQ(key, "crl");

  asked = settings();
  asked.dh_params = files.path("ca.pem");
  EXPECT_THAT(about(asked, &key), HasSubstr("no set of DH parameters"));
  EXPECT_EQ(key, "dh_params");

  asked = settings();
  asked.psk_file = files.path("ca.pem");
  EXPECT_THAT(about(asked, &key), HasSubstr("ca.pem:1:"));
  EXPECT_EQ(key, "psk_file");
}

TEST_F(TlsFilesTest, AFailedReloadKeepsWhatIsServed) {
  const auto context = TlsContext::open(settings()).value();
  const auto before = context->current();
  files.write_text("server.key", files.read("ca.key"));
  EXPECT_FALSE(context->reload().has_value());
  EXPECT_EQ(context->current(), before);
  files.write("server", files.issue({.common_name = "new", .names = {"localhost"}, .is_server = true}));
  EXPECT_TRUE(context->reload().has_value());
  EXPECT_EQ(context->current()->certificates().front().subject, "CN=new");
}

TEST_F(TlsFilesTest, WhatWorksOnlyForNowIsAWarning) {
  files.write("server", files.issue({.common_name = "late",
                                     .names = {"localhost"},
                                     .is_server = true,
                                     .valid_from_s = -200,
                                     .valid_until_s = -100}));
  const auto late = TlsContext::open(settings()).value()->current();
  EXPECT_THAT(late->warnings(), testing::ElementsAre(AllOf(HasSubstr("expired on"), HasSubstr("renew it"))));
  files.write("server", files.issue({.common_name = "early",
                                     .names = {"localhost"},
                                     .is_server = true,
                                     .valid_from_s = 1000,
                                     .valid_until_s = 2000}));
  EXPECT_THAT(TlsContext::open(settings()).value()->current()->warnings(),
              testing::ElementsAre(HasSubstr("this machine's clock")));
  files.write("server", files.issue({.common_name = "x", .names = {"localhost"}, .is_server = true}));
  files.write_text("server.pem", files.read("server.pem") + files.read("client.pem"));
  EXPECT_THAT(TlsContext::open(settings()).value()->current()->warnings(),
              testing::ElementsAre(HasSubstr("certificate 1 was not issued by the one that follows it")));
}

}  // namespace
}  // namespace nightjar::net
