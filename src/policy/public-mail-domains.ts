/**
 * Mail domains at which anybody can have an address, so that a rule which names one bounds nobody: the large free providers,
 * those of countries, aliases and throw-away boxes. Data; a domain that is missing here is only not warned of.
 */
const DOMAINS = `
  gmail.com googlemail.com outlook.com hotmail.com live.com msn.com passport.com windowslive.com
  outlook.de outlook.fr outlook.es outlook.it outlook.jp outlook.in outlook.co.id outlook.com.br outlook.com.au outlook.com.ar
  hotmail.co.uk hotmail.de hotmail.fr hotmail.es hotmail.it hotmail.be hotmail.nl hotmail.co.jp hotmail.com.br hotmail.com.ar
  live.co.uk live.de live.fr live.it live.nl live.be live.se live.dk live.no live.ca live.com.au live.com.mx live.jp
  yahoo.com ymail.com rocketmail.com myyahoo.com yahoo.co.uk yahoo.de yahoo.fr yahoo.es yahoo.it yahoo.ca yahoo.in yahoo.co.in
  yahoo.co.jp yahoo.co.id yahoo.com.br yahoo.com.ar yahoo.com.mx yahoo.com.au yahoo.com.cn yahoo.com.hk yahoo.com.ph yahoo.com.sg
  yahoo.com.tw yahoo.com.vn yahoo.ie yahoo.gr yahoo.pl yahoo.ro yahoo.se yahoo.dk yahoo.no
  icloud.com me.com mac.com aol.com aim.com aol.co.uk aol.de aol.fr verizon.net comcast.net att.net sbcglobal.net bellsouth.net cox.net
  charter.net earthlink.net juno.com netzero.net optonline.net rogers.com shaw.ca sympatico.ca
  proton.me protonmail.com protonmail.ch pm.me tutanota.com tutanota.de tuta.io tuta.com tutamail.com keemail.me fastmail.com fastmail.fm
  hushmail.com mailfence.com posteo.de posteo.net mailbox.org startmail.com runbox.com disroot.org riseup.net hey.com duck.com
  zoho.com zohomail.com zohomail.eu zohomail.in mail.com email.com usa.com post.com europe.com consultant.com engineer.com gmx.com
  gmx.net gmx.de gmx.at gmx.ch gmx.fr gmx.us web.de t-online.de freenet.de arcor.de mail.de email.de online.de vodafone.de
  orange.fr wanadoo.fr free.fr laposte.net sfr.fr neuf.fr bbox.fr numericable.fr btinternet.com talktalk.net sky.com virginmedia.com
  ntlworld.com blueyonder.co.uk tiscali.co.uk libero.it virgilio.it alice.it tin.it tiscali.it tim.it fastwebnet.it inwind.it
  telenet.be skynet.be proximus.be ziggo.nl kpnmail.nl planet.nl hetnet.nl xs4all.nl bluewin.ch hispeed.ch sunrise.ch
  telefonica.net terra.es sapo.pt telia.com bredband.net online.no telenor.no mail.dk jubii.dk saunalahti.fi luukku.com suomi24.fi
  seznam.cz email.cz centrum.cz post.cz atlas.cz azet.sk zoznam.sk wp.pl o2.pl onet.pl interia.pl op.pl poczta.fm gazeta.pl tlen.pl
  freemail.hu citromail.hu abv.bg mail.bg yandex.ru yandex.com ya.ru mail.ru bk.ru inbox.ru list.ru internet.ru rambler.ru ukr.net i.ua
  meta.ua tut.by inbox.lv inbox.lt walla.co.il walla.com
  qq.com vip.qq.com foxmail.com 163.com 126.com yeah.net sina.com sina.cn sohu.com 139.com 189.cn 21cn.com aliyun.com tom.com
  naver.com hanmail.net daum.net kakao.com nate.com docomo.ne.jp ezweb.ne.jp softbank.ne.jp i.softbank.jp nifty.com
  rediffmail.com sify.com indiatimes.com bigpond.com optusnet.com.au iinet.net.au xtra.co.nz uol.com.br bol.com.br terra.com.br ig.com.br
  globo.com globomail.com
  mailinator.com guerrillamail.com guerrillamail.net sharklasers.com 10minutemail.com temp-mail.org tempmail.com yopmail.com
  trashmail.com trashmail.de maildrop.cc dispostable.com getnada.com throwawaymail.com fakeinbox.com mintemail.com mohmal.com
  moakt.com emailondeck.com simplelogin.com simplelogin.io slmail.me anonaddy.com anonaddy.me mozmail.com privaterelay.appleid.com
`;

const PUBLIC: ReadonlySet<string> = new Set(DOMAINS.trim().split(/\s+/));

/** Whether an entry of `email_domain_in` names one, with or without a star and a last dot. */
export function isPublicMailDomain(entry: string): boolean {
  return PUBLIC.has(entry.toLowerCase().replace(/^\*\./, "").replace(/\.$/, ""));
}
