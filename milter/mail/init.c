#include <gmime/gmime.h>
#include <pthread.h>

#include "bw/mail.h"
#include "index.h"

static pthread_once_t once = PTHREAD_ONCE_INIT;

static void init(void)
{
	g_mime_init();
	bw_mail_phrases_index();
	bw_mail_evidence_index();
}

void bw_mail_init(void)
{
	pthread_once(&once, init);
}
