#include "cli/client_options.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <vector>

#include "tests/support/temp_dir.h"

namespace nightjar::cli {
namespace {

using mqtt::Qos;
using mqtt::Version;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::SizeIs;

using Words = std::vector<const char*>;

Outcome<PubSettings> pub(Words words) {
  words.insert(words.begin(), "pub");
  return parse_pub(static_cast<int>(words.size()), words.data());
}

Outcome<SubSettings> sub(Words words) {
  words.insert(words.begin(), "sub");
  return parse_sub(static_cast<int>(words.size()), words.data());
}

// The message of a usage error.
template <typename Settings>
std::string error_of(const Outcome<Settings>& outcome) {
  if (outcome) return "no error";
  EXPECT_EQ(outcome.error().code, ExitCode::kUsage);
  return outcome.error().message;
}

TEST(PubOptions, HaveDefaultsForALocalBroker) {
  const auto settings = pub({"-t", "a/b", "-m", "hello"});
  ASSERT_TRUE(settings) << settings.error().message;
  EXPECT_EQ(settings->connection.host, "127.0.0.1");
  EXPECT_EQ(settings->connection.port, 1883);
  EXPECT_EQ(settings->connection.version, Version::k5);
  EXPECT_TRUE(settings->connection.clean_start);
  EXPECT_EQ(settings->message.topic, "a/b");
  EXPECT_EQ(settings->message.payload, "hello");
  EXPECT_EQ(settings->message.qos, Qos::kAtMostOnce);
  EXPECT_EQ(settings->repeat, 1U);
}

TEST(PubOptions, AMistypedOneGetsASuggestion) {
  EXPECT_THAT(error_of(pub({"-t", "a", "-m", "x", "--retian"})), HasSubstr("did you mean \"--retain\"?"));
  EXPECT_THAT(error_of(sub({"-t", "a", "--no-locl"})), HasSubstr("did you mean \"--no-local\"?"));
  EXPECT_THAT(error_of(sub({"-t", "a", "--zzz"})), HasSubstr("nightjar sub --help"));
}

TEST(PubOptions, KnowTheVersionsByTheNamesThatOtherToolsGiveThem) {
  const std::vector<std::pair<Version, Words>> names = {{Version::k31, {"3.1", "31", "mqttv31"}},
                                                        {Version::k311, {"3.1.1", "311", "mqttv311"}},
                                                        {Version::k5, {"5", "5.0", "mqttv5"}}};
  for (const auto& [version, words] : names) {
    for (const char* word : words) {
      const auto settings = pub({"-t", "a", "-m", "x", "-V", word});
      ASSERT_TRUE(settings) << word << ": " << settings.error().message;
      EXPECT_EQ(settings->connection.version, version) << word;
    }
  }
  for (const char* word : {"4", "3", "mqtt", "mqttv", "5.1", ""}) {
    EXPECT_THAT(error_of(pub({"-t", "a", "-m", "x", "-V", word})), HasSubstr("3.1, 3.1.1 or 5")) << word;
  }
}

TEST(PubOptions, MakeAClientIdThatEveryVersionAccepts) {
  const auto first = pub({"-t", "a", "-m", "x"});
  const auto second = pub({"-t", "a", "-m", "x"});
  ASSERT_TRUE(first && second);
  EXPECT_LE(first->connection.client_id.size(), 23U);
  EXPECT_NE(first->connection.client_id, second->connection.client_id);
}

TEST(PubOptions, TakeAPayloadAsItIs) {
  for (const char* payload : {"", "-5", "[1,2]", "{\"a\":[1]}", "%20", "'x'", "--qos", "a b"}) {
    const auto settings = pub({"-t", "a", "-m", payload});
    ASSERT_TRUE(settings) << payload << ": " << settings.error().message;
    EXPECT_EQ(settings->message.payload, payload);
  }
}

TEST(PubOptions, WantExactlyOneSourceOfThePayload) {
  EXPECT_THAT(error_of(pub({"-t", "a"})), HasSubstr("say what to publish"));
  EXPECT_THAT(error_of(pub({"-t", "a", "-m", "x", "-n"})), HasSubstr("say what to publish"));
  EXPECT_THAT(error_of(pub({"-t", "a", "-l", "--repeat", "2"})), HasSubstr("every line is another"));
}

TEST(PubOptions, ReadThePayloadFromAFile) {
  const test_support::TempDir directory;
  const std::string path = directory.path() / "payload";
  std::ofstream{path} << "line\nend";
  const auto settings = pub({"-t", "a", "-f", path.c_str()});
  ASSERT_TRUE(settings) << settings.error().message;
  EXPECT_EQ(settings->message.payload, "line\nend");
  EXPECT_THAT(error_of(pub({"-t", "a", "-f", "/nonexistent/file"})), HasSubstr("No such file"));
}

TEST(PubOptions, FillTheMessageProperties) {
  const auto settings = pub({"-t",
                             "a",
                             "-m",
                             "x",
                             "--content-type",
                             "text/plain",
                             "--response-topic",
                             "r",
                             "--correlation-data",
                             "c",
                             "--message-expiry",
                             "60",
                             "--payload-format",
                             "utf8",
                             "--user-property",
                             "k=1",
                             "--user-property",
                             "k=a=b",
                             "--topic-alias",
                             "9"});
  ASSERT_TRUE(settings) << settings.error().message;
  const MessageProperties& properties = settings->message.properties;
  EXPECT_EQ(properties.content_type, "text/plain");
  EXPECT_EQ(properties.response_topic, "r");
  EXPECT_EQ(properties.correlation_data, "c");
  EXPECT_EQ(properties.message_expiry_s, 60U);
  EXPECT_EQ(properties.payload_format, 1);
  ASSERT_THAT(properties.user_properties, SizeIs(2));
  EXPECT_EQ(properties.user_properties[1].value, "a=b");
  EXPECT_EQ(settings->message.topic_alias, 9);
}

TEST(PubOptions, FillTheWill) {
  const auto settings =
      pub({"-t", "a", "-m", "x", "--will-topic", "w", "--will-payload", "gone", "--will-qos", "2",
           "--will-retain", "--will-delay", "30", "--will-user-property", "k=v"});
  ASSERT_TRUE(settings) << settings.error().message;
  ASSERT_TRUE(settings->connection.will);
  const WillSettings& will = *settings->connection.will;
  EXPECT_EQ(will.message.topic, "w");
  EXPECT_EQ(will.message.payload, "gone");
  EXPECT_EQ(will.message.qos, Qos::kExactlyOnce);
  EXPECT_TRUE(will.message.retain);
  EXPECT_EQ(will.delay_s, 30U);
  EXPECT_THAT(will.message.properties.user_properties, SizeIs(1));
  EXPECT_THAT(error_of(pub({"-t", "a", "-m", "x", "--will-qos", "1"})), HasSubstr("needs --will-topic"));
}

TEST(PubOptions, RefuseWhatAnOlderVersionCannotSay) {
  for (const char* version : {"3.1", "3.1.1"}) {
    EXPECT_THAT(error_of(pub({"-V", version, "-t", "a", "-m", "x", "--content-type", "t"})),
                HasSubstr("--content-type exists only in MQTT 5.0"));
    EXPECT_THAT(error_of(pub({"-V", version, "-t", "a", "-m", "x", "--request"})), HasSubstr("--request"));
  }
  EXPECT_THAT(error_of(pub({"-V", "4", "-t", "a", "-m", "x"})), HasSubstr("--mqtt-version"));
}

TEST(PubOptions, RefuseTopicsThatCannotBePublishedTo) {
  EXPECT_THAT(error_of(pub({"-t", "a/#", "-m", "x"})), HasSubstr("may not hold + or #"));
  EXPECT_THAT(error_of(pub({"-t", "", "-m", "x"})), HasSubstr("is empty"));
  EXPECT_THAT(error_of(pub({"-t", "\xff", "-m", "x"})), HasSubstr("not valid UTF-8"));
  const std::string long_topic(65'536, 'x');
  EXPECT_THAT(error_of(pub({"-t", long_topic.c_str(), "-m", "x"})), HasSubstr("65536 bytes"));
}

TEST(PubOptions, GiveARequestAResponseTopicOfItsOwn) {
  const auto settings = pub({"-t", "calc", "-m", "2 3", "--request", "-i", "me"});
  ASSERT_TRUE(settings) << settings.error().message;
  EXPECT_TRUE(settings->is_request);
  EXPECT_EQ(settings->message.properties.response_topic, "response/me");
  EXPECT_THAT(error_of(pub({"-t", "a", "-m", "x", "--request", "--response-topic", "r/+"})),
              HasSubstr("may not hold"));
}

TEST(PubOptions, PrintHelpOnRequest) {
  const auto help = pub({"--help"});
  ASSERT_FALSE(help);
  EXPECT_EQ(help.error().code, ExitCode::kOk);
  EXPECT_THAT(help.error().message, HasSubstr("nightjar pub -t home/door -m open"));
  EXPECT_THAT(help.error().message, HasSubstr("Exit status"));
}

TEST(ConnectionOptions, ComeFromAUrl) {
  const auto settings = sub({"-t", "a", "-L", "mqtt://joe:s%40crt@broker.example:8883"});
  ASSERT_TRUE(settings) << settings.error().message;
  EXPECT_EQ(settings->connection.host, "broker.example");
  EXPECT_EQ(settings->connection.port, 8883);
  EXPECT_EQ(settings->connection.user_name, "joe");
  EXPECT_EQ(settings->connection.password, "s@crt");
}

TEST(ConnectionOptions, TakeAUrlWithLess) {
  const auto address = sub({"-t", "a", "-L", "mqtt://[::1]"});
  ASSERT_TRUE(address) << address.error().message;
  EXPECT_EQ(address->connection.host, "::1");
  EXPECT_EQ(address->connection.port, 1883);
  EXPECT_FALSE(address->connection.user_name);
  const auto user_only = sub({"-t", "a", "-L", "mqtt://joe@h/"});
  ASSERT_TRUE(user_only) << user_only.error().message;
  EXPECT_EQ(user_only->connection.host, "h");
  EXPECT_EQ(user_only->connection.user_name, "joe");
}

TEST(ConnectionOptions, RefuseUrlsThatNameNoBroker) {
  EXPECT_THAT(error_of(sub({"-t", "a", "-L", "broker:1883"})), HasSubstr("is not a URL"));
  EXPECT_THAT(error_of(sub({"-t", "a", "-L", "http://broker"})), HasSubstr("not supported"));
  EXPECT_THAT(error_of(sub({"-t", "a", "-L", "mqtt://"})), HasSubstr("does not name a host"));
  EXPECT_THAT(error_of(sub({"-t", "a", "-L", "mqtt://h:99999"})), HasSubstr("ports are 1 to 65535"));
  EXPECT_THAT(error_of(sub({"-t", "a", "-L", "mqtt://h:0"})), HasSubstr("ports are 1 to 65535"));
  EXPECT_THAT(error_of(sub({"-t", "a", "-L", "mqtt://a%4@h"})), HasSubstr("%25"));
  EXPECT_THAT(error_of(sub({"-t", "a", "-L", "mqtt://h", "-p", "1"})), HasSubstr("either --url or"));
}

TEST(ConnectionOptions, TlsHasItsOwnPortUnlessAnotherIsSaid) {
  for (const auto& typed : {sub({"-t", "a", "--tls"}), sub({"-t", "a", "--cafile", "ca.pem"}),
                            sub({"-t", "a", "--insecure"}), sub({"-t", "a", "-L", "mqtts://h"})}) {
    ASSERT_TRUE(typed.has_value());
    ASSERT_TRUE(typed->connection.tls.has_value());
    EXPECT_EQ(typed->connection.port, 8883);
  }
  EXPECT_EQ(sub({"-t", "a", "--tls", "-p", "1883"})->connection.port, 1883);
  EXPECT_EQ(sub({"-t", "a", "-L", "mqtts://h:99"})->connection.port, 99);
  EXPECT_FALSE(sub({"-t", "a"})->connection.tls.has_value());
}

TEST(ConnectionOptions, TlsKnowsWhomToTrustAndWhatToShow) {
  const auto typed = sub({"-t", "a", "--cafile", "ca.pem", "--cert", "me.pem", "--key", "me.key"});
  ASSERT_TRUE(typed.has_value());
  EXPECT_EQ(typed->connection.tls->authorities, "ca.pem");
  EXPECT_EQ(typed->connection.tls->certificate, "me.pem");
  EXPECT_EQ(typed->connection.tls->key, "me.key");
  EXPECT_TRUE(typed->connection.tls->checks_server);
  EXPECT_FALSE(sub({"-t", "a", "--insecure"})->connection.tls->checks_server);
  EXPECT_THAT(error_of(sub({"-t", "a", "--cert", "me.pem"})), HasSubstr("give both --cert and --key"));
}

TEST(ConnectionOptions, PreferTheTypedPasswordThenTheFileThenTheEnvironment) {
  const test_support::TempDir directory;
  const std::string path = directory.path() / "password";
  std::ofstream{path} << "from file\nsecond line\n";
  ASSERT_EQ(setenv("NIGHTJAR_PASSWORD", "from environment", 1), 0);
  const auto typed = sub({"-t", "a", "-u", "joe", "-P", "typed", "--password-file", path.c_str()});
  const auto file = sub({"-t", "a", "-u", "joe", "--password-file", path.c_str()});
  const auto environment = sub({"-t", "a", "-u", "joe"});
  const auto nobody = sub({"-t", "a"});
  unsetenv("NIGHTJAR_PASSWORD");
  ASSERT_TRUE(typed && file && environment && nobody);
  EXPECT_EQ(typed->connection.password, "typed");
  EXPECT_EQ(file->connection.password, "from file");
  EXPECT_EQ(environment->connection.password, "from environment");
  EXPECT_FALSE(nobody->connection.password);
}

TEST(ConnectionOptions, KeepASessionOnlyForANamedClient) {
  EXPECT_THAT(error_of(sub({"-t", "a", "-c"})), HasSubstr("give one with -i"));
  const auto settings = sub({"-t", "a", "-c", "-i", "desk"});
  ASSERT_TRUE(settings) << settings.error().message;
  EXPECT_FALSE(settings->connection.clean_start);
  EXPECT_EQ(settings->connection.session_expiry_s, UINT32_MAX);
  const auto limited = sub({"-t", "a", "-c", "-i", "desk", "--session-expiry", "60"});
  ASSERT_TRUE(limited);
  EXPECT_EQ(limited->connection.session_expiry_s, 60U);
  const auto old = sub({"-t", "a", "-c", "-i", "desk", "-V", "3.1.1"});
  ASSERT_TRUE(old);
  EXPECT_FALSE(old->connection.session_expiry_s);
}

TEST(SubOptions, TakeEachFilterOnItsOwn) {
  const auto settings = sub({"-t", "a/+", "-t", "$share/g/b/#", "-q", "2", "-C", "5", "-W", "1.5"});
  ASSERT_TRUE(settings) << settings.error().message;
  EXPECT_THAT(settings->subscribe.filters, ElementsAre("a/+", "$share/g/b/#"));
  EXPECT_EQ(settings->subscribe.qos, Qos::kExactlyOnce);
  EXPECT_EQ(settings->count, 5U);
  EXPECT_EQ(settings->connection.timeout, Duration{1500});
  EXPECT_THAT(error_of(sub({"-t", "a", "b"})), HasSubstr("unexpected argument \"b\""));
}

TEST(SubOptions, RefuseFiltersThatAreNone) {
  EXPECT_THAT(error_of(sub({"-t", "a/#/b"})), HasSubstr("is not a topic filter"));
  EXPECT_THAT(error_of(sub({"-t", "a+"})), HasSubstr("is not a topic filter"));
  EXPECT_THAT(error_of(sub({"-t", "$share/g"})), HasSubstr("$share/NAME/FILTER"));
  EXPECT_THAT(error_of(sub({"-t", "$share/g/a", "--no-local"})), HasSubstr("exclude each other"));
}

TEST(SubOptions, FillTheSubscription) {
  const auto settings =
      sub({"-t", "a", "--no-local", "--retain-as-published", "--retain-handling", "new", "--subscription-id",
           "268435455", "--receive-maximum", "3", "--max-packet-size", "1000", "--topic-alias-maximum", "7"});
  ASSERT_TRUE(settings) << settings.error().message;
  EXPECT_TRUE(settings->subscribe.no_local);
  EXPECT_TRUE(settings->subscribe.retain_as_published);
  EXPECT_EQ(settings->subscribe.retain_handling, mqtt::RetainHandling::kSendIfNew);
  EXPECT_EQ(settings->subscribe.subscription_id, 268'435'455U);
  EXPECT_EQ(settings->connection.receive_maximum, 3);
  EXPECT_EQ(settings->connection.packet_bytes_max, 1000U);
  EXPECT_EQ(settings->connection.topic_alias_maximum, 7);
  EXPECT_THAT(error_of(sub({"-t", "a", "--subscription-id", "268435456"})), HasSubstr("--subscription-id"));
}

TEST(SubOptions, DoNotAskForRetainedMessagesThatAreNotPrinted) {
  const auto settings = sub({"-t", "a", "--no-retained"});
  ASSERT_TRUE(settings);
  EXPECT_EQ(settings->subscribe.retain_handling, mqtt::RetainHandling::kDoNotSend);
  EXPECT_THAT(error_of(sub({"-t", "a", "--no-retained", "--retained-only"})), HasSubstr("nothing to print"));
}

TEST(SubOptions, CheckTheFormatBeforeConnecting) {
  EXPECT_THAT(error_of(sub({"-t", "a", "-F", "%z"})), HasSubstr("unknown conversion \"%z\""));
  EXPECT_THAT(error_of(sub({"-t", "a", "-F", "%t", "-v"})), HasSubstr("leave out -v or -F"));
}

}  // namespace
}  // namespace nightjar::cli
