// What the two Paho C agents share: the words of a line, payloads as words, events as lines (../agent.py),
// what the words of a command say, and the loop that runs them.
#pragma once

#include <MQTTProperties.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WORDS_MAX 16
#define PAYLOAD_WORD_MAX 1000
#define CALL_TIMEOUT_MS 20000

// One write per line: callbacks of the library come on threads of its own.
__attribute__((format(printf, 1, 2))) static inline void say(const char* format, ...) {
  char line[2 * PAYLOAD_WORD_MAX];
  va_list values;
  va_start(values, format);
  vsnprintf(line, sizeof line, format, values);
  va_end(values);
  flockfile(stdout);
  puts(line);
  fflush(stdout);
  funlockfile(stdout);
}

static inline int split(char* line, char* words[WORDS_MAX]) {
  int count = 0;
  char* rest = NULL;
  for (char* word = strtok_r(line, " \n", &rest); word && count < WORDS_MAX;
       word = strtok_r(NULL, " \n", &rest)) {
    words[count++] = word;
  }
  return count;
}

static inline char pattern_at(size_t i) { return (char)('a' + i % 26); }

// The bytes that a payload word stands for; the caller frees them.
static inline char* payload_of(const char* word, int* length) {
  if (strcmp(word, "-") == 0) word = "";
  *length = word[0] == '@' ? atoi(word + 1) : (int)strlen(word);
  char* bytes = malloc((size_t)*length + 1);
  for (int i = 0; i < *length; ++i) bytes[i] = word[0] == '@' ? pattern_at((size_t)i) : word[i];
  bytes[*length] = '\0';
  return bytes;
}

static inline void say_message(const char* topic, int topic_length, int qos, int retained, const char* bytes,
                               int length, MQTTProperties* properties) {
  char word[PAYLOAD_WORD_MAX + 1] = "-";
  if (length > PAYLOAD_WORD_MAX) {
    int same = 0;
    while (same < length && bytes[same] == pattern_at((size_t)same)) ++same;
    snprintf(word, sizeof word, same == length ? "@%d" : "garbled", length);
  } else if (length > 0) {
    snprintf(word, sizeof word, "%.*s", length, bytes);
  }
  char property[128] = "";
  if (MQTTProperties_hasProperty(properties, MQTTPROPERTY_CODE_USER_PROPERTY)) {
    MQTTProperty* p = MQTTProperties_getProperty(properties, MQTTPROPERTY_CODE_USER_PROPERTY);
    snprintf(property, sizeof property, " %.*s=%.*s", p->value.data.len, p->value.data.data,
             p->value.value.len, p->value.value.data);
  }
  // The libraries give the length of a topic only when it holds U+0000.
  const int shown = topic_length > 0 ? topic_length : (int)strlen(topic);
  say("message %.*s %d %d %s%s", shown, topic, qos, retained, word, property);
}

static inline void add_session_expiry(MQTTProperties* properties, const char* seconds) {
  MQTTProperty expiry = {.identifier = MQTTPROPERTY_CODE_SESSION_EXPIRY_INTERVAL};
  expiry.value.integer4 = (unsigned)strtoul(seconds, NULL, 10);
  MQTTProperties_add(properties, &expiry);
}

// `word` is NAME=VALUE.
static inline void add_user_property(MQTTProperties* properties, char* word) {
  char* value = strchr(word, '=');
  *value++ = '\0';
  MQTTProperty user = {.identifier = MQTTPROPERTY_CODE_USER_PROPERTY};
  user.value.data = (MQTTLenString){(int)strlen(word), word};
  user.value.value = (MQTTLenString){(int)strlen(value), value};
  MQTTProperties_add(properties, &user);
}

// ---- the connection ----

static int level;                // 3, 4 or 5, of the latest connect
static atomic_bool end_is_told;  // one line per connection, whichever callback comes first

static inline void on_lost(void* context, char* cause) {
  (void)context, (void)cause;
  if (!atomic_exchange(&end_is_told, true)) say("disconnected -");
}

static inline void on_disconnected(void* context, MQTTProperties* properties, enum MQTTReasonCodes reason) {
  (void)context, (void)properties;
  if (!atomic_exchange(&end_is_told, true)) say("disconnected %d", reason);
}

// connect PORT LEVEL CLIENT_ID CLEAN EXPIRY_S KEEP_ALIVE_S [WILL_TOPIC WILL_QOS WILL_RETAIN WILL_PAYLOAD]
struct ConnectWords {
  char uri[64];
  const char* client_id;
  int is_clean;
  int keep_alive_s;
  MQTTProperties properties;  // empty unless level is 5
  const char* will_topic;     // NULL without a will
  int will_qos;
  int will_retained;
  char* will_payload;
  int will_length;
};

// A new connection begins: sets `level`, and an end is to be told again.
static inline struct ConnectWords connect_words(char** words, int count) {
  struct ConnectWords said = {.client_id = words[3],
                              .is_clean = atoi(words[4]),
                              .keep_alive_s = atoi(words[6]),
                              .properties = MQTTProperties_initializer};
  const char* const transport = getenv("AGENT_TRANSPORT");
  const char* scheme = transport ? transport : "tcp";
  if (strcmp(scheme, "tls") == 0) scheme = "ssl";
  snprintf(said.uri, sizeof said.uri, "%s://127.0.0.1:%s", scheme, words[1]);
  level = atoi(words[2]);
  atomic_store(&end_is_told, false);
  if (level == 5) add_session_expiry(&said.properties, words[5]);
  if (count > 10) {
    said.will_topic = words[7];
    said.will_qos = atoi(words[8]);
    said.will_retained = atoi(words[9]);
    said.will_payload = payload_of(words[10], &said.will_length);
  }
  return said;
}

static inline void free_connect_words(struct ConnectWords* said) {
  MQTTProperties_free(&said->properties);
  free(said->will_payload);
}

// The will options of both libraries are different structures with the same members.
#define FILL_WILL(will, said)                  \
  do {                                         \
    (will).topicName = (said).will_topic;      \
    (will).qos = (said).will_qos;              \
    (will).retained = (said).will_retained;    \
    (will).payload.data = (said).will_payload; \
    (will).payload.len = (said).will_length;   \
  } while (0)

// publish TOPIC QOS RETAIN PAYLOAD [NAME=VALUE]; the message structures differ in the same way. `payload` and
// the properties are to be freed.
#define FILL_MESSAGE(message, words, count)                                \
  do {                                                                     \
    (message).payload = payload_of((words)[4], &(message).payloadlen);     \
    (message).qos = atoi((words)[2]);                                      \
    (message).retained = atoi((words)[3]);                                 \
    if ((count) > 5) add_user_property(&(message).properties, (words)[5]); \
  } while (0)

// ---- the loop ----

struct Command {
  const char* name;
  int (*run)(char** words, int count);  // not 0: could not be begun
};

static inline int run_commands(const struct Command* commands, int commands_count) {
  char line[4096];
  while (fgets(line, sizeof line, stdin)) {
    char* words[WORDS_MAX];
    const int count = split(line, words);
    for (int i = 0; count > 0 && i < commands_count; ++i) {
      if (strcmp(words[0], commands[i].name) != 0) continue;
      const int result = commands[i].run(words, count);
      if (result != 0) say("error %s %d", words[0], result);
    }
  }
  return 0;
}
