"""Member files as masklab wrote them in earlier formats; they must stay readable for ever."""

import base64
import zlib

FORMAT_1 = {
    "tiny": (
        "c-n=O&2HN;49Bx!m%YW{(+=LM?~h>Ty+Kb+5Kt188gXpHc83*39&3*`V6@T}McQIMQ8fSLkD?^@X;r?5YPUP$3<+k~?W*-d6"
        ">l*frn_UcuDBEoMAq6^VYyERQR^IYFqqKA$W&(Ng|H|hf{lnG@RU8zDv1<qRaZxt4lM*q_OPh}Ot_&Mn<_(``;lz+UDunc>6"
        ")1qo9Y0~vFY~Tx_&%DyQ%13i@%VpH79$-JmPe_d-4hLO^At1eIh$Gdz{XhY|IH+V9^Mhm9wD1BB0QLYtTw)7A;C)6By={@j("
        "X}mnLPBV7)7~^MWxy7H_(QzsZ&h6x`!D(c*@hiG9LYiiT!B!ce4pXu8s$SQ<Rwu%uCBc5uWJoMQ>>$7WwbySuhs`niQ+3Aho"
        "p+Mc%L8T#R_g}LdwqC4lGv77pWKm^M!UoH8T#nS*wu*2l6)HX73idz>lPt<Tm#dI*q3ny4i)`FmcF&U*%(MIP*%uab=rB<5n"
        "hcol_d0(CxIomG#K8%=}xDZ~&7N+S95bpzO%)z+`f^iv=LxogQ=cGi^LTP1)%R>gsk_+G?kBWOxE-G~Y0TGuR!`KH1P20@(Z"
        "_se0bIY93T4v)ofYClMkIYN!n2<4Q?&(xBqSFGh$|iG+z?g+>WV)dF$;|~$Ew`uBsXEo~FfBK&=;>yVnr=$bK1%DV+{ZrW3F"
        "nENtmaFHPlJA`zIHFfG>=zWE^1N4ms5H-i+G(xP!c+hCwel}YQ6fgyd7WvT>bs>;qz+cKd$}(S@}@V"
    ),
    "everything": (
        "c-oa#&2Aev5LSC?uYH1GfdV~jZT@p;6lqQc`T#jahA||E_QKLi(5{;rfq=YJkz3PKUm`Ej7bwtK+D<H6u5AGejJTX{zM1)k+"
        "<(5A)!)13<YY-BW*qV4q&a%mq%%tA!^N^WYFvoPdeG8IkxBtDY!(rvLzG}eaWV<%l_;f%APjjO9YOHgl7xUw+bnT7Utnagck"
        "?FVKy!{UZwjVywP9Nv*mmA@eK+!-d2^24vg=QO>{pv5F6IrtThMRB){$g;LuEt5*~!hC;<bS&vuU?%=kAn-D<p4qQNm{}lC`"
        "#|hy|ny35*XSOBtf`k>3^|rxfZOl8aOzAxYF))!1dCF<uAn`b@vGttV1=Nt=QHyy0ZhDpRUKV>d2wU0qMH>uY{$O7NW46O3W"
        "A$0gOxCDo0qO?O(iGSWH6sPD!NyH9!XhPPcF&nBoT!{H3qllvRhn&a&;udG+=iv^C|s;{0`(T5(_!`W)Qp-Aghsu)k=e#3Tq"
        "ylrnetLHjT^hWB3RrQzza8U|v4yW!OY%cnqTg~dj>+EloR}pm*q68~hgC415?~O$jC0Z>>S`nkl(pit*X9_AuvL!>(LYEwbb"
        "CpXTFV|Pa{^h!(U+Q-}m2;Bk;nawG@qse1j(rjcMtX=vW+$MK5jMIU6ey9H6)KJ`bkfcwpCG7IzyuU`;=hL7@KV(HYuvCLMy"
        "^Ro2XCo6JsbDcLR*mNtPldw8DTU91dgpaZBCbi3YNBs(L~_Q(k7CD$2Fl)8uX*Jn6$LRW=Oc8JxmA{7#oC$7OYDl7HthT1%r"
        "1oT0{o`WGOr8H5V&b9}*fB6CW1Bn#Y)2(b!P#(xm9aw7_B5!y^RlH<buHuS!TAGms(f1B<|@Y?ZObP4Tgy7a1akB$JT=4J1S"
        "GNO#m-9_!62V(b>(c)5p-BvzmRXZg%=+$nBVh$4^(+5>kWB`X7QlbD@VSWIz65;sS9EKcXURgvy)e{>~uGu4M;zh-4FR&kxt"
        "N(x$|B*mkn3b_DI5~NsI&RjTCB2SKU#tSZsiy|czU3!{kKeJH#SrjYzi1iqN6j|r^w2dY!6Rp!JCkm`f3C;zrVgSh(hIf!ej"
        "$S7vh@QY=yKT1ZgQv-Ki&cNVby#713svXZ*S4uQ-Kvy<#(|ea3!K%yLHr*Wo|k(-&>FFeREOwcl=~1yw8m77y~^8xl5U5P-h"
        "*aZ>n618L+-ZwYq;gj6}{(dUF+N(Ds>niMA=hY#~`)3JHmYy4+pK^g;39h@X!K7Y+p=2{^a?YpTB0a_aFOD?&F8$r$4{{^}F"
        "eL$@WWL<M;3RdG(6-nc30or|CQChd&Pgeeu<|vsw81i~aX!EBy!AiQKO"
    ),
    "gaps": (
        "c-n=O&2H2%5XS?8JC9K11X7^>jO`UyIB@T&yIPIM<88FrBuY|5RjtHJ@pwo$-WHX9h$x5gWd1Y18OOG7iu~M`+wFm72r$ETT"
        "dr<PydvCB*N1Xd29)Hv4;s*6K%qIaq(zX-L<a(ucP{vvLGlCCF}*_9Rv{{*Z46~q9$?zH;8U{Ob?ITEb*iy0BjDVR$!4E)wJ"
        "w{knbTrj?x8s}-R@)8j|XViW%}0AcS_cZCwrtg(sZ@G_le}2h(a>;G1;Nn(R9j0sHK+?4Mh`31k~ug5yt8u1V{(m_{ex*7%_"
        "Njm9gAo?X(0FET>#ME*SG&@umy(BiV9+f*TsAw75*oU>^u`(H#s^7Ve<wa(7~BZ%@OLL@il5I8cs_m?QhK+2z>ox^0(su3%U"
        "KE^AfQYIEEq-_Q@&EzC{dW#y2CGj&s+84|)W=JO@vvbf*D9IO>LAfvWkXvt)>HZny_p;k4kS*)c<qYBnBXSFa!ah^VlXrwc>"
        "@-f#6^UZLgzOdQxmy(;!GWcPn(BMLNjx9{nGa$}+(iGFE5d`DX2TO`PlR5?^f)*+f*+>o|7#6Gtha44mpe!n~{{az?Ifk+K;"
        "G4FYZ=RvyL{2bUYb|4KdHQ>`^UM)*(pV-WqUMeSvP7o^L>24E34t*KX=dRO%~xJO!l~rucs!QJ>IJ6dsAYXR8cCgwO4i;<t1"
        "=(RKE{dWDLGlimk#eY`l0&5J`kt<c%tQ^5^nP^N#3OwvxuijgsUV^EuEd7bakj=ReWCVkoUjNf1iE$QWWnBd{un=`Sx}32l7"
        "f%r~"
    ),
}
"""Base85 of zlib of files of format 1, by what was stored."""


def format_1(name: str) -> bytes:
    """A file of format 1."""
    return zlib.decompress(base64.b85decode(FORMAT_1[name]))
